"""The bootloader of generation B, 2014-08-21, weaknesses included (github.com/spark/bootloader 3683099, src/main.c).

It is a program of steps: it reads flash and registers of its board, and asks for flash work one run at a time.
"""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags, plausible_first_word
from rig.families.spark_core.twin.copies import Modes, erase_app, finish, install, restore, roll_back, show
from rig.families.spark_core.twin.dfu import DfuFunction
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.mode_button import hold_for_dfu_or_factory
from rig.families.spark_core.twin.standby import standby_if_asked
from rig.families.spark_core.twin.steps import HEALTHY, START_SECONDS, WATCHDOG_MS, Board, Jump
from rig.twin.steps import Delay, Idle, Program

FLAGS_SIZE = 10


def bootloader(board: Board) -> Program:
    """One start, from reset to a jump, to DFU or to another reset."""
    yield Delay(START_SECONDS)
    yield from standby_if_asked(board)
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, FLAGS_SIZE))
    modes = Modes()
    app_address = choose(board, flags, modes)
    yield from check_health(board, flags, modes)
    if (yield from hold_for_dfu_or_factory(board, modes)):
        flags.nvmem = layout.NVMEM_WIPE_PROFILES
    if modes.copy:
        yield from install(board, flags)
    elif modes.factory:
        show(board, "white", 0.05)
        yield from restore(board, layout.FACTORY_ADDRESS)
        flags.factory = layout.WORD_BLANK
        yield from finish(board, flags)
    elif modes.rollback:
        yield from roll_back(board, flags)
    elif not modes.dfu and (app_address == layout.INTERNAL_BASE or plausible_first_word(board.memory.app_start())):
        yield Jump(app_address, WATCHDOG_MS)
    show(board, "yellow", 0.1)
    board.attach(DfuFunction(board, flags))
    yield Idle()


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
    """The watchdog's part: what DR1 makes of a watchdog reset; the third one costs the whole application area."""
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
