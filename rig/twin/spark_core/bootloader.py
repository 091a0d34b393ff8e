"""The bootloader of generation B, 2014-08-21, weaknesses included (reference/spark-core.md §3 and Appendix C).

It is a program of steps: it reads flash and registers of its board, and asks for flash work one run at a time.
"""

from __future__ import annotations

from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags, plausible_first_word
from rig.twin.spark_core.dfu import DfuFunction
from rig.twin.spark_core.flags import save
from rig.twin.spark_core.steps import Board, Delay, Idle, Jump, Program, Reset, WhileModeHeld, Work

START_SECONDS = 0.02
MODE_DFU_SECONDS = 3.0
MODE_FACTORY_SECONDS = 10.0
HEALTHY = 0xFFFF


class Modes:
    """The four modes a start can choose; the first that is set in the order copy, factory, rollback, DFU is entered."""

    def __init__(self) -> None:
        self.copy = self.factory = self.rollback = self.dfu = False

    def only(self, *, factory: bool = False, dfu: bool = False) -> None:
        """Clear all, then set the one named."""
        self.copy = self.rollback = False
        self.factory, self.dfu = factory, dfu


def bootloader(board: Board) -> Program:
    """One start, from reset to a jump, to DFU or to another reset."""
    yield Delay(START_SECONDS)
    if board.dr[9] == 0xA5A5:
        board.dr[9] = 0
        board.event("standby")
        yield Idle()
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, SystemFlags.SIZE))
    modes = Modes()
    app_address = choose(board, flags, modes)
    yield from check_health(board, flags, modes)
    yield from watch_button(board, flags, modes)
    if modes.copy:
        show(board, "magenta", 0.05)
        yield from backup(board)
        flags.ota = layout.OTA_COPYING
        yield from save(board, flags)
        board.dr[10] = layout.OTA_COPYING
        yield from restore(board, layout.OTA_ADDRESS)
        flags.flashed = 1
        yield from finish(board, flags)
    elif modes.factory:
        show(board, "white", 0.05)
        yield from restore(board, layout.FACTORY_ADDRESS)
        flags.factory = layout.WORD_BLANK
        yield from finish(board, flags)
    elif modes.rollback:
        show(board, "red", 0.05)
        yield from restore(board, layout.BACKUP_ADDRESS)
        yield from finish(board, flags)
    elif not modes.dfu and (
        app_address == layout.INTERNAL_BASE or plausible_first_word(board.memory.internal.read(app_address, 4))
    ):
        yield Jump(app_address)
    show(board, "yellow", 0.1)
    board.attach(DfuFunction(board, flags))
    yield Idle()


def show(board: Board, colour: str, toggle_seconds: float) -> None:
    """Blink, and note it: the bootloader's colours tell what it does."""
    board.light(colour, toggle_seconds)
    board.event(colour)


def choose(board: Board, flags: SystemFlags, modes: Modes) -> int:
    """Set the modes from DR10 and the flags page; returns where a plain start would jump to.

    The application's address is only set when 0x5000 was found: otherwise it stays the bootloader's own (C3).
    """
    codes = (board.dr[10], flags.ota)
    if flags.factory == layout.FACTORY_REQUESTED:
        modes.factory = True
    if layout.OTA_RUN in codes:
        return layout.APP_ADDRESS
    if layout.OTA_READY in codes:
        modes.copy = True
    elif layout.OTA_COPYING in codes:
        modes.rollback = True
    else:
        modes.dfu = True
    return layout.INTERNAL_BASE


def check_health(board: Board, flags: SystemFlags, modes: Modes) -> Program:
    """The watchdog's part: what DR1 makes of a watchdog reset."""
    health = board.dr[1]
    if health == HEALTHY:
        board.dr[1] = 1
        return
    if "watchdog" not in board.causes:
        return
    modes.only()
    if health == 1:
        modes.rollback = True
        board.dr[1] = 2
    elif health == 2:
        modes.factory = True
        board.dr[1] = 3
    else:
        board.dr[1] = HEALTHY
        if health == 3:
            yield from erase_app(board)
            modes.dfu = True
    flags.flashed = 0
    yield from save(board, flags)
    board.causes.clear()


def watch_button(board: Board, flags: SystemFlags, modes: Modes) -> Program:
    """MODE held from reset: 3 s select DFU (unless it is selected already, C4), 10 s the factory image."""
    if not board.mode_held:
        return
    if (yield WhileModeHeld(MODE_DFU_SECONDS)):
        return
    if not modes.dfu:
        modes.only(dfu=True)
        show(board, "yellow", 0.1)
    if (yield WhileModeHeld(MODE_FACTORY_SECONDS - MODE_DFU_SECONDS)):
        return
    modes.only(factory=True)
    flags.nvmem = layout.NVMEM_WIPE_PROFILES


def backup(board: Board) -> Program:
    """Copy the application area to the backup slot."""
    yield Work(board.memory.external.erasing(layout.BACKUP_ADDRESS, layout.SLOT_SIZE // layout.EXTERNAL_SECTOR))
    app = board.memory.internal.read(layout.APP_ADDRESS, layout.APP_SIZE)
    yield Work(board.memory.external.programming(layout.BACKUP_ADDRESS, app))


def erase_app(board: Board) -> Program:
    """Erase the whole application area."""
    board.memory.internal.error = False
    yield Work(board.memory.internal.erasing(layout.APP_ADDRESS, layout.APP_PAGES))


def restore(board: Board, slot: int) -> Program:
    """Erase the application area and copy `slot` into it, always 108 KiB, whatever the slot holds (§2.5)."""
    yield from erase_app(board)
    image = board.memory.external.read(slot, layout.APP_SIZE)
    yield Work(board.memory.internal.programming(layout.APP_ADDRESS, image))


def finish(board: Board, flags: SystemFlags) -> Program:
    """Mark the application as the one to run, and reset."""
    flags.ota = layout.OTA_RUN
    yield from save(board, flags)
    board.dr[10] = layout.OTA_RUN
    yield Reset()
