"""The bootloader of generation A, 2013-10-30: no watchdog, no health, no software factory reset (reference §3.2)."""

from __future__ import annotations

from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags, plausible_first_word
from rig.twin.spark_core.bootloader_b import watch_button
from rig.twin.spark_core.copies import Modes, backup, finish, install, restore, roll_back, show
from rig.twin.spark_core.dfu import DfuFunction
from rig.twin.spark_core.flags import save
from rig.twin.spark_core.steps import START_SECONDS, Board, Jump
from rig.twin.steps import Delay, Idle, Program

#: It knows the flags up to OTA_FLASHED: the factory request of later firmware is ignored, and gone with the next save.
FLAGS_SIZE = 8


def bootloader(board: Board) -> Program:
    """One start, from reset to a jump, to DFU or to another reset."""
    yield Delay(START_SECONDS)
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, FLAGS_SIZE))
    modes = Modes()
    codes = (board.dr[10], flags.ota)
    if layout.OTA_RUN not in codes:
        modes.copy = layout.OTA_READY in codes
        modes.rollback = not modes.copy and layout.OTA_COPYING in codes
        modes.dfu = not (modes.copy or modes.rollback)
    yield from watch_button(board, flags, modes)
    if modes.factory:
        yield from save(board, flags)
    if modes.copy:
        yield from install(board, flags)
    elif modes.factory:
        show(board, "white", 0.05)
        yield from backup(board)
        yield from restore(board, layout.FACTORY_ADDRESS)
        yield from finish(board, flags)
    elif modes.rollback:
        yield from roll_back(board, flags)
    elif not modes.dfu and plausible_first_word(board.memory.internal.read(layout.APP_ADDRESS, 4)):
        yield Jump(layout.APP_ADDRESS)
    show(board, "yellow", 0.1)
    board.attach(DfuFunction(board, flags))
    yield Idle()
