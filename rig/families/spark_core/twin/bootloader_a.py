"""The bootloaders of generation A: no watchdog, no health, no software factory reset (reference §3.2, Appendix E).

There are two. That of 2013-10-30 (spark/bootloader, tag spark_0, 12,240 bytes) copies an update without a mark between
backup and restore; that of 2014-02-12 (d175db5, 12,404 bytes), built from the same main.c against a later
core-common-lib, marks it.
"""

from __future__ import annotations

from collections.abc import Callable

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags, plausible_first_word
from rig.families.spark_core.twin.copies import Modes, backup, bring_update, finish, install, restore, roll_back, show
from rig.families.spark_core.twin.dfu import DfuFunction
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.mode_button import hold_for_dfu_or_factory
from rig.families.spark_core.twin.steps import START_SECONDS, Board, Jump
from rig.twin.steps import Delay, Idle, Program

#: It knows the flags up to OTA_FLASHED: the factory request of later firmware is ignored, and gone with the next save.
FLAGS_SIZE = 8


def bootloader_2013(board: Board) -> Program:
    """One start of the binary of 2013-10-30, from reset to a jump, to DFU or to another reset."""
    return _start(board, install_unmarked)


def bootloader_2014(board: Board) -> Program:
    """One start of the binary of 2014-02-12."""
    return _start(board, install)


def install_unmarked(board: Board, flags: SystemFlags) -> Program:
    """Back up and bring the update in, never marked: a cut between the two makes the next start back up what is left.

    core-common-lib 87cafa7 moved the mark from the start of the download to here, after this binary was built.
    """
    show(board, "magenta", 0.05)
    yield from backup(board)
    yield from bring_update(board, flags)


def _start(board: Board, install_update: Callable[[Board, SystemFlags], Program]) -> Program:
    yield Delay(START_SECONDS)
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, FLAGS_SIZE))
    modes = Modes()
    codes = (board.dr[10], flags.ota)
    if layout.OTA_RUN not in codes:
        modes.copy = layout.OTA_READY in codes
        modes.rollback = not modes.copy and layout.OTA_COPYING in codes
        modes.dfu = not (modes.copy or modes.rollback)
    yield from hold_for_dfu_or_factory(board, modes)
    if modes.copy:
        yield from install_update(board, flags)
    elif modes.factory:
        yield from _reset_to_factory(board, flags)
    elif modes.rollback:
        yield from roll_back(board, flags)
    elif not modes.dfu and plausible_first_word(board.memory.app_start()):
        yield Jump(layout.APP_ADDRESS, at_once=True)
    show(board, "yellow", 0.1)
    board.attach(DfuFunction(board, flags))
    yield Idle()


def _reset_to_factory(board: Board, flags: SystemFlags) -> Program:
    """What ten seconds of MODE bring: the flags are saved and a backup is taken first."""
    show(board, "white", 0.05)
    flags.nvmem = layout.NVMEM_WIPE_PROFILES
    yield from save(board, flags)
    yield from backup(board)
    yield from restore(board, layout.FACTORY_ADDRESS)
    yield from finish(board, flags)
