"""MODE held from reset, as generations A and B wait for it to be let go (reference §3.1)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rig.families.spark_core.twin.copies import Modes, show
from rig.families.spark_core.twin.steps import Board, WhileModeHeld
from rig.twin.steps import Step

DFU_SECONDS, FACTORY_SECONDS = 3.0, 10.0


def hold_for_dfu_or_factory(board: Board, modes: Modes) -> Generator[Step, Any, bool]:
    """Three seconds select DFU (unless it is selected already, C4), ten the factory image.

    Returns whether MODE was held for the ten.
    """
    if not board.mode_held or (yield WhileModeHeld(DFU_SECONDS)):
        return False
    if not modes.dfu:
        modes.only(dfu=True)
        show(board, "yellow", 0.1)
    if (yield WhileModeHeld(FACTORY_SECONDS - DFU_SECONDS)):
        return False
    modes.only(factory=True)
    return True
