"""Planted faults of verbs that families bring, and of the options of every twin's."""

from __future__ import annotations

from dataclasses import replace

from typer.core import TyperGroup

from rig.cli import family_verbs
from rig.family.contract import family_of
from rig.terminal import twin_options
from tests.rig.cli import checks_verbs as check

REAL_SETTINGS = twin_options._settings


def _always_on(**told):
    return replace(REAL_SETTINGS(**told), powered=True)


_always_on.__signature__ = twin_options.inspect.signature(REAL_SETTINGS, eval_str=True)

MUTANTS = {
    "verbs: a family that breaks takes the command with it": (
        lambda m: m.setattr(family_verbs, "_verbs_of", lambda kind: family_of(kind).verbs),
        check.a_family_that_does_not_load_leaves_the_others_their_verbs,
    ),
    "verbs: nobody is told why a kind has none": (
        lambda m: m.setattr(family_verbs.VerbGroup, "get_command", TyperGroup.get_command),
        check.who_asks_for_a_kind_that_does_not_load_is_told_why,
    ),
    "verbs: one that is missing is only unknown": (
        lambda m: m.setattr(family_verbs, "print_error", lambda _text: None),
        check.who_asks_for_a_verb_that_is_missing_is_told_which_kinds_do_not_load,
    ),
    "verbs: a family hides one of the rig's own": (
        lambda m: m.setattr(family_verbs, "_see_room", lambda *_verbs: None),
        check.no_family_takes_a_verb_that_is_there,
    ),
    "verbs: a family's wrong place ends the command": (
        lambda m: m.setattr(family_verbs, "_see_room", lambda *_verbs: None),
        check.a_verb_under_one_that_takes_none_leaves_the_command_alone,
    ),
    "verbs: a twin is on whatever its options say": (
        lambda m: m.setattr(twin_options, "_settings", _always_on),
        check.a_twin_is_served_as_the_options_of_every_twin_say,
    ),
}
