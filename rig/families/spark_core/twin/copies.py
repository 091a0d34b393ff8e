"""What bootloaders of every generation do to flash: copy the application out and images in, and mark what is to run.

Each is a program of flash work that a power cut may end anywhere (core-common-lib's hw_config.c).
"""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Program, Reset, Work


class Modes:
    """The four modes a start can choose; the first that is set in the order copy, factory, rollback, DFU is entered.

    `safe` comes on top in generation C: it is written down for the application.
    """

    def __init__(self) -> None:
        self.copy = self.factory = self.rollback = self.dfu = self.safe = False

    def only(self, *, factory: bool = False, dfu: bool = False) -> None:
        """Clear all, then set the one named."""
        self.copy = self.rollback = False
        self.factory, self.dfu = factory, dfu


def show(board: Board, colour: str, toggle_seconds: float) -> None:
    """Blink, and note it: the bootloader's colours tell what it does."""
    board.light(colour, toggle_seconds)
    board.event(colour)


def backup(board: Board) -> Program:
    """Copy the application area to the backup slot."""
    memory = board.memory
    yield Work(memory.external.erasing(layout.BACKUP_ADDRESS, layout.SLOT_SIZE // layout.EXTERNAL_SECTOR))
    yield Work(memory.external.copying(layout.BACKUP_ADDRESS, memory.internal, layout.APP_ADDRESS, layout.APP_SIZE))


def erase_app(board: Board) -> Program:
    """Erase the whole application area."""
    board.memory.internal.error = False
    yield Work(board.memory.internal.erasing(layout.APP_ADDRESS, layout.APP_PAGES))


def restore(board: Board, slot: int) -> Program:
    """Erase the application area and copy `slot` into it, always 108 KiB, whatever the slot holds (§2.5)."""
    yield from erase_app(board)
    memory = board.memory
    yield Work(memory.internal.copying(layout.APP_ADDRESS, memory.external, slot, layout.APP_SIZE))


def install(board: Board, flags: SystemFlags) -> Program:
    """Back the application up, then bring the over-the-air image in, marked as under way in between."""
    show(board, "magenta", 0.05)
    yield from backup(board)
    flags.ota = layout.OTA_COPYING
    yield from save(board, flags)
    board.dr[10] = layout.OTA_COPYING
    yield from bring_update(board, flags)


def bring_update(board: Board, flags: SystemFlags) -> Program:
    """Bring the over-the-air image in, and note that the next Hello has an update to tell of."""
    yield from restore(board, layout.OTA_ADDRESS)
    flags.flashed = 1
    yield from finish(board, flags)


def roll_back(board: Board, flags: SystemFlags) -> Program:
    """Bring back what was backed up last."""
    show(board, "red", 0.05)
    yield from restore(board, layout.BACKUP_ADDRESS)
    yield from finish(board, flags)


def finish(board: Board, flags: SystemFlags) -> Program:
    """Mark the application as the one to run, and reset."""
    flags.ota = layout.OTA_RUN
    yield from save(board, flags)
    board.dr[10] = layout.OTA_RUN
    yield Reset()
