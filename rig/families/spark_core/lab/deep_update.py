"""A deep update of the board in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rig.errors import Misuse
from rig.evidence.ledger import Ledger, read_ledger
from rig.families.spark_core.boards.board import require_core
from rig.families.spark_core.campaign.deep_update import Done, choose_path, run_deep_update
from rig.families.spark_core.firmware.deep_updates import DeepUpdate
from rig.files import is_there
from rig.firmware.run_firmware import checked_firmware, roles_with
from rig.lab.acquisition import Boards
from rig.lab.lab import Lab


def update_place(
    lab: Lab,
    place: str,
    plan: DeepUpdate,
    *,
    consent: str,
    ledger: Path,
    manifest: Path | None,
    note: Callable[[str], None],
) -> Done:
    """Acquire, choose the way by the ledger, update. Raises Misuse, LabFault, DeviceFault."""
    known = checked_firmware(manifest)
    if plan.image not in known.roles("spark-core"):
        raise Misuse(f"{known.path} names no image for the role {plan.image}")
    lines = list(read_ledger(ledger)) if is_there(ledger) else []
    with Boards(lab.coordinator, lab.environment) as boards:
        board = require_core(boards.take(place))
        board.compare_with_manifest(known, note)
        roles = roles_with([plan.image], known, board.kind, board.tags, place)
        way = choose_path(lines, board.tags.get("core_id", ""), plan.policy_updates)
        with Ledger(ledger) as book:
            return run_deep_update(board, plan, roles[plan.image], way, consent=consent, ledger=book, note=note)
