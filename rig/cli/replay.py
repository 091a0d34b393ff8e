"""`rig replay`: one cut of a sweep, or one swap, again, from the line that was printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.terminal.output import print_json, print_lines, print_status

if TYPE_CHECKING:
    from rig.firmware.manifest import Image
    from rig.sweep.capsule import Capsule


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
    from rig.errors import Misuse
    from rig.firmware.run_firmware import checked_firmware
    from rig.sweep.capsule import Capsule
    from rig.sweep.capsule_line import begins
    from rig.sweep.replay import is_expected, replay
    from rig.sweep.user_image import user_image

    if is_swap(line := " ".join(capsule)):
        from rig.cli.replay_swap import replay_swap

        if shrink or place:
            raise Misuse(
                "a swap is played on the model, and has nothing to shrink", hint="the suites play it on boards"
            )
        replay_swap(line, image or [], manifest, expect, trace=trace, as_json=as_json)
    if is_landed(line):
        from rig.cli.replay_landed import replay_landed

        if shrink or trace or place:
            raise Misuse("this is of a landing", hint="replay the cut of the model that it prints")
        replay_landed(line, image or [], manifest, as_json=as_json)
    read = Capsule.parse(line)
    known = checked_firmware(manifest)
    brought = (user_image(read.kind, "image", file) for file in image or ())
    images = [*known.images_with(read.kind, begins(read.images)), *brought]
    if place is not None:
        from rig.cli.replay_board import BoardChoice, replay_board

        if shrink or trace:
            raise Misuse("--shrink and --trace are of the model", hint="leave --place away")
        replay_board(read, images, known, BoardChoice(place, rack, coordinator), expect, as_json=as_json)
    found = replay(read, images)
    happens = is_expected(found.settled, expect, read.ended)
    if trace and not as_json:
        from rig.sweep.story import story

        print_lines(*story(found.scenario, read.cuts, read.seed))
    smaller = _shrunk(read, images) if shrink else None
    if as_json:
        told = {"became": found.settled.became, "rung": found.settled.rung, "still_happens": happens}
        print_json(told | ({"smaller": str(smaller)} if smaller is not None else {}))
    else:
        print_lines(*([f"rig replay '{smaller}'"] if smaller is not None else []))
        print_lines(
            f"{found.settled.became}, healed by {found.settled.rung}: "
            + ("it still happens" if happens else "it does not happen any more")
        )
    raise typer.Exit(1 if happens else 0)


def _shrunk(capsule: Capsule, images: Sequence[Image]) -> Capsule:
    from rig.sweep.shrink import shrink

    return shrink(capsule, images, print_status)
