"""`rig replay` of a capsule that a cut on a board left: of a landing."""

from __future__ import annotations

from pathlib import Path

import typer

from rig.terminal.output import print_json, print_lines


def replay_landed(line: str, images: list[Path], manifest: Path | None, *, as_json: bool) -> None:
    """Say how the model's cuts end that a landing can be; the status is 1 while one ends so, else 0. Raises Misuse."""
    from rig.board_sweep import landed_replay
    from rig.campaign.landed_capsule import LandedCapsule
    from rig.sweep.user_image import images_for

    read = LandedCapsule.parse(line)
    again = landed_replay.replay_landed(read, images_for(read.kind, read.images, manifest, images))
    happens = again.happens(read.ended)
    if as_json:
        ends = [{"became": end.became, "rung": end.rung} for end in again.ends]
        print_json({"ends": ends, "capsule": again.capsule, "still_happens": happens})
    else:
        said = "it still happens" if happens else "it does not happen any more"
        print_lines(f"the model says {again}: {said}", f"rig replay '{again.capsule}'")
    raise typer.Exit(1 if happens else 0)
