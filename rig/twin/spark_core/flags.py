"""Saving the system-flags page, as bootloader and DFU both do: the window that strands a Core (reference §3.5)."""

from __future__ import annotations

from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags
from rig.twin.spark_core.steps import Board
from rig.twin.steps import Program, Work


def save(board: Board, flags: SystemFlags) -> Program:
    """Erase the flags page, then program the half-words in order; clears the controller's error flag first."""
    board.memory.internal.error = False
    yield Work(board.memory.internal.erasing(layout.FLAGS_ADDRESS))
    yield Work(board.memory.internal.programming(layout.FLAGS_ADDRESS, flags.pack()))
