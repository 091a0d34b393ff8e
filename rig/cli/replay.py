"""`rig replay`: one cut of a sweep again, from the line that the sweep printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rig.terminal.output import print_json, print_lines


def replay(
    capsule: Annotated[list[str], typer.Argument(metavar="CAPSULE", help="The whole line, in quotes or not.")],
    expect: Annotated[
        str | None, typer.Option(metavar="OUTCOME", help="What still happens, as BECOMES or BECOMES/RUNG.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print every operation, and what the board asked of flash.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Cut an update again where a capsule says so, on the model, and say what becomes of the board.

    Exit status, ready for `git bisect run`: 1 while it still happens, which is what --expect or the capsule itself
    says; 0 when it does not; 2 when the capsule cannot be read.
    """
    from rig.firmware.run_firmware import checked_firmware
    from rig.sweep.capsule import Capsule
    from rig.sweep.replay import is_expected, replay

    read = Capsule.parse(" ".join(capsule))
    found = replay(read, checked_firmware(manifest).images(read.kind))
    happens = is_expected(found.settled, expect, read.ended)
    if trace and not as_json:
        from rig.sweep.story import story

        print_lines(*story(found.scenario, read.cuts, read.seed))
    if as_json:
        print_json({"became": found.settled.became, "rung": found.settled.rung, "still_happens": happens})
    else:
        print_lines(
            f"{found.settled.became}, healed by {found.settled.rung}: "
            + ("it still happens" if happens else "it does not happen any more")
        )
    raise typer.Exit(1 if happens else 0)
