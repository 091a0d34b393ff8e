"""Planted faults of bring-up: whose boards are brought up, and what is told of one."""

from __future__ import annotations

from rig.families.esp32.family import Esp32Family
from rig.families.spark_core.boards.bring_up import BroughtUp
from rig.families.spark_core.lab.bring_up import CoreBringUp
from rig.lab import bring_up
from tests.rig.lab import checks_bring_up as check


def _raise_of(kind, place=None):
    """A refusal that does not say of which place."""
    raise bring_up.Misuse(f"boards of kind {kind} have no bring-up")


MUTANTS = {
    "bring-up: nobody is told which place has no bring-up": (
        lambda m: m.setattr(bring_up, "_bring_up_of", _raise_of),
        check.a_kind_without_a_bring_up_is_refused_in_one_line,
    ),
    "bring-up: a kind takes another's": (
        lambda m: m.setattr(Esp32Family, "bring_up", CoreBringUp()),
        check.all_places_are_those_whose_kind_has_a_bring_up,
    ),
    "bring-up: whoever is named has a kind": (
        lambda m: m.setattr(bring_up, "is_ours", lambda tags: "board" in tags),
        check.a_place_that_nobody_can_bring_up_does_not_stop_the_others,
    ),
    "bring-up: a tag says what nobody knows": (
        lambda m: m.setattr(BroughtUp, "tags", property(lambda self: {"generation": self.generation})),
        check.a_board_is_told_by_the_columns_of_its_kind,
    ),
}
