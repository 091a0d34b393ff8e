"""`rig replay --place`: a capsule's cut on a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from rig.errors import Misuse
from rig.terminal.output import print_json, print_lines, print_status


@dataclass(frozen=True, slots=True)
class BoardChoice:
    """Which board: a place of a rack, or of the coordinator that LG_COORDINATOR names."""

    place: str
    rack: Path | None
    coordinator: str | None


def replay_board(
    line: str, files: Sequence[Path], manifest: Path | None, chosen: BoardChoice, expect: str | None, *, as_json: bool
) -> None:
    """Cut it, and say what became of it; ends with status 1 while it still happens, else 0. Raises Misuse, LabFault."""
    from rig.board_sweep.on_board import replay_on_board
    from rig.board_sweep.places import places_to_sweep
    from rig.firmware.run_firmware import checked_firmware
    from rig.lab.lab import Lab
    from rig.sweep.capsule import Capsule
    from rig.sweep.user_image import images_for

    capsule = Capsule.parse(line)
    images = images_for(capsule.kind, capsule.images, manifest, files)
    expected = capsule.ended if expect is None else expect
    if expected is None:
        raise Misuse("the capsule does not say how it ended", hint="--expect OUTCOME")
    lab = Lab.named(chosen.coordinator, chosen.rack)
    (place,) = places_to_sweep(lab.coordinator, [chosen.place], capsule.kind, capsule.path)
    found = replay_on_board(capsule, place, lab, checked_firmware(manifest), images, print_status)
    happens = found.became(expected) if isinstance(expected, str) else found.is_as(expected)
    if as_json:
        print_json({**found.to_dict(), "still_happens": happens})
    else:
        print_lines(f"{found}: " + ("it still happens" if happens else "it does not happen any more"))
    raise typer.Exit(1 if happens else 0)
