"""Saving the system-flags page, as bootloader and DFU both do: the window that strands a Core (reference §3.5)."""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Program, Work


def save(board: Board, flags: SystemFlags) -> Program:
    """Erase the flags page, then program the half-words in order; clears the controller's error flag first."""
    board.memory.internal.error = False
    yield Work(board.memory.internal.erasing(layout.FLAGS_ADDRESS))
    yield Work(board.memory.internal.programming(layout.FLAGS_ADDRESS, flags.pack()))
