"""The control cut: a golden image over itself, cut while it is written. A board that comes through is healthy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rig.boards.board import Board
from rig.campaign.bench import Bench
from rig.campaign.tries import Tries
from rig.errors import DeviceFault, LabFault
from rig.evidence.ledger import Ledger
from rig.evidence.timeline import Timeline
from rig.family.contract import family_of
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import roles_with
from rig.lab.acquisition import Boards
from rig.lab.health import is_suspect

TRIES = 3


def control_cut(board: Board, known: Manifest, note: Callable[[str], None]) -> None:
    """Bring the board to its known state, cut it, and bring it back. Raises DeviceFault, LabFault for what fails.

    Raises Misuse where it is to be given no image of these.
    """
    roles = roles_with(rules_of(board.kind).known_state, known, board.kind, board.tags, board.name)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "control.jsonl") as ledger:
        bench: Bench[Any] = Bench(board, roles, ledger, Timeline(), run_id="control")
        trial = family_of(board.kind).campaign.control_trial(bench.roles)
        note("a control cut")
        made = Tries(bench, trial, TRIES)
        for verdict in made:
            if verdict.outcome.dead:
                raise DeviceFault("no rung of the ladder brings it back", board=board.name)
            if verdict.landing.landed:
                note("back to its known state")
                bench.restore_known_state()
                return
            note("another control cut")
        raise LabFault(
            f"{len(made.missed)} control cuts landed in {', '.join(made.missed)}",
            board=board.name,
            hint="is it the right relay channel?",
        )


def clear_after_control_cut(boards: Boards, place: str, known: Manifest, say: Callable[[str], None]) -> None:
    """Take a board out of quarantine when it comes through a control cut, and put it there when it does not.

    `say` hears what nothing tells of it. Raises DeviceFault, LabFault, Misuse.
    """
    board = boards.take(place)
    board.compare_with_manifest(known, say)
    try:
        control_cut(board, known, lambda _step: None)
    except (DeviceFault, LabFault) as error:
        if is_suspect(board, error):
            boards.quarantine(place, error.message)
        raise
    boards.clear_quarantine(place)
