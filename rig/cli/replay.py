"""`rig replay`: one cut of a sweep, or one swap, again, from the line that was printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from rig.cli.replay_board import BoardChoice, replay_board
from rig.terminal.output import print_json, print_lines, print_status


def replay(
    capsule: Annotated[list[str], typer.Argument(metavar="CAPSULE", help="The whole line, in quotes or not.")],
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="OUTCOME",
            help="What still happens: BECOMES or BECOMES/RUNG; dark, served or fails-over after a swap.",
        ),
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="An application that the capsule is of; may be repeated.")
    ] = None,
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Find fewer and earlier cuts of a smaller new image that end the same.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print every operation, and what the board asked of flash.")
    ] = False,
    place: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Cut the board in this place, and not the model.")
    ] = None,
    rack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The labgrid environment that reaches PLACE.")
    ] = None,
    coordinator: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="labgrid's coordinator; LG_COORDINATOR if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Do again what a capsule says, on the model, and say what becomes of the board: a cut, or a swap of identities.

    Exit status, ready for `git bisect run`: 1 while it still happens, which is what --expect or the capsule itself
    says; 0 when it does not; 2 when the capsule cannot be read.
    """
    from rig.campaign.landed_capsule import is_landed
    from rig.campaign.swap_capsule import is_swap

    line, files = " ".join(capsule), image or []
    board = BoardChoice(place, rack, coordinator) if place is not None else None
    if is_swap(line):
        from rig.cli.replay_swap import replay_swap

        _refuse({"--shrink": shrink, "--place": place}, "a swap is played on the model, and has nothing to shrink")
        replay_swap(line, files, manifest, expect, trace=trace, as_json=as_json)
    if is_landed(line):
        from rig.cli.replay_landed import replay_landed

        others = {"--shrink": shrink, "--trace": trace, "--place": place, "--expect": expect}
        _refuse(others, "this is of a landing; replay the cut of the model that it prints")
        replay_landed(line, files, manifest, as_json=as_json)
    if board is not None:
        _refuse({"--shrink": shrink, "--trace": trace}, "that is of the model")
        replay_board(line, files, manifest, board, expect, as_json=as_json)
    _replay_cut(line, files, manifest, expect, shrink=shrink, trace=trace, as_json=as_json)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Raises Misuse for the first option that was given."""
    from rig.errors import Misuse

    for name, value in options.items():
        if value:
            raise Misuse(why, hint=f"leave {name} away")


def _replay_cut(
    line: str,
    files: Sequence[Path],
    manifest: Path | None,
    expect: str | None,
    *,
    shrink: bool,
    trace: bool,
    as_json: bool,
) -> None:
    """On the model; ends with status 1 while it still happens, else 0. Raises Misuse."""
    from rig.sweep.capsule import Capsule
    from rig.sweep.replay import is_expected, replay
    from rig.sweep.shrink import shrink as smaller_than
    from rig.sweep.story import story
    from rig.sweep.user_image import images_for

    read = Capsule.parse(line)
    images = images_for(read.kind, read.images, manifest, files)
    found = replay(read, images)
    happens = is_expected(found.settled, expect, read.ended)
    if trace and not as_json:
        print_lines(*story(found.scenario, read.cuts, read.seed))
    smaller = {"smaller": str(smaller_than(read, images, print_status))} if shrink else {}
    if as_json:
        told = {"became": found.settled.became, "rung": found.settled.rung, "still_happens": happens}
        print_json({**told, **smaller})
    else:
        said = "it still happens" if happens else "it does not happen any more"
        print_lines(*(f"rig replay '{capsule}'" for capsule in smaller.values()))
        print_lines(f"{found.settled.became}, healed by {found.settled.rung}: {said}")
    raise typer.Exit(1 if happens else 0)
