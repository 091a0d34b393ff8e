"""`rig replay` of a capsule that is of a swap of servers' identities."""

from __future__ import annotations

from pathlib import Path

import typer

from rig.terminal.output import print_json, print_lines


def replay_swap(
    line: str, images: list[Path], manifest: Path | None, expect: str | None, *, trace: bool, as_json: bool
) -> None:
    """Play it, and say what came of it; ends with status 1 while it still happens, else 0. Raises Misuse."""
    from rig.campaign.swap_capsule import SwapCapsule
    from rig.campaign.swap_replay import is_expected, replay_swap, story
    from rig.sweep.user_image import images_for

    read = SwapCapsule.parse(line)
    result = replay_swap(read, images_for(read.kind, read.images, manifest, images))
    happens = is_expected(result, expect, read.ended)
    if as_json:
        print_json({**result.to_dict(), "still_happens": happens})
    else:
        print_lines(*(story(result) if trace else ()))
        print_lines(
            f"{result.before} → {result.after}: " + ("it still happens" if happens else "it does not happen any more")
        )
    raise typer.Exit(1 if happens else 0)
