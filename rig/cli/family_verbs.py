"""Verbs that board families bring: added to the rig's own, and what is told where a family does not load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from rig import registry
from rig.errors import LabFault, RigError
from rig.family.contract import family_of
from rig.family.verb import Verb
from rig.terminal.output import print_error

#: Why verbs are missing: faults by kinds of boards.
missing: dict[str, RigError] = {}
#: A verb by what it is under, and its name.
Place = tuple[str, str]


class VerbGroup(TyperGroup):
    """A group that families add verbs to: who asks for one that is missing is told whose family does not load."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name. Raises the fault of a kind of board that is called so and does not load."""
        found = super().get_command(ctx, cmd_name)
        if found is None and not ctx.resilient_parsing:  # which is how shells ask what could be typed
            if cmd_name in missing:
                raise missing[cmd_name]
            for fault in missing.values():
                print_error(str(fault))
        return found


def add_family_verbs(apps: Mapping[str, typer.Typer]) -> None:
    """Add what families bring to verbs of the rig's own, by their names; "" is the top level.

    A family that does not load has none, and all others have theirs.
    """
    taken: set[Place] = set()
    for under, app in apps.items():
        taken |= {(under, str(command.name)) for command in app.registered_commands}
        taken |= {(under, str(group.name)) for group in app.registered_groups}
    try:
        kinds = registry.kinds()
    except RigError as error:
        missing[""] = error
        return
    for kind in kinds:
        try:
            verbs: dict[Place, Verb] = {(verb.under, verb.name): verb for verb in _verbs_of(kind)}
            _see_room(kind, verbs, taken, apps)
        except RigError as error:
            missing[kind] = error
            continue
        taken |= verbs.keys()
        for verb in verbs.values():
            _add(apps[verb.under], verb)


def _verbs_of(kind: str) -> tuple[Verb, ...]:
    """A family's verbs. Raises LabFault, whatever another's package does."""
    try:
        return family_of(kind).verbs
    except RigError:
        raise
    except Exception as error:
        raise LabFault(f"the verbs of kind {kind} do not load: {error!r}") from error


def _see_room(kind: str, verbs: Mapping[Place, Verb], taken: set[Place], apps: Mapping[str, typer.Typer]) -> None:
    """See that there is a place for each verb. Raises LabFault."""
    for place, verb in verbs.items():
        if place in taken or verb.under not in apps:
            why = "is there already" if place in taken else f"has no place: {verb.under} takes no verbs"
            raise LabFault(f"the verbs of kind {kind} are left out: `{verb}` {why}", hint="name it otherwise")


def _add(app: typer.Typer, verb: Verb) -> None:
    if isinstance(verb.does, typer.Typer):
        app.add_typer(verb.does, name=verb.name)
    else:
        app.command(verb.name)(verb.does)
