"""The bootloader of generation C, device-os 0.4 and later (reference §3.2): runs by default, tries the factory image.

Where the sources leave a choice, made here: a factory slot whose first word is not plausible is not tried, so that a
Core without any image ends in DFU.
"""

from __future__ import annotations

from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags, plausible_first_word
from rig.twin.spark_core.bootloader_b import check_health
from rig.twin.spark_core.copies import Modes, finish, install, restore, roll_back, show
from rig.twin.spark_core.dfu import DfuFunction
from rig.twin.spark_core.flags import save
from rig.twin.spark_core.steps import START_SECONDS, WATCHDOG_MS, Board, Jump, WhileModeHeld
from rig.twin.steps import Delay, Idle, Program

#: The number of the bootloader of v0.6.4; saved in the first half-word of the flags.
VERSION = 11
FLAGS_SIZE = 18
ENTER_DFU_ONCE = 0xEDFA
SAFE_MODE = 0x5AFE
#: Since when MODE must have been held: safe mode, DFU, factory image, factory image and profiles wiped.
MODE_SECONDS = (1.0, 3.0, 6.5, 10.0)
#: Bits of the STM32's RCC_CSR.
CAUSE_BITS = {"pin": 1 << 26, "power-on": 1 << 27, "software": 1 << 28, "watchdog": 1 << 29}


def bootloader(board: Board) -> Program:
    """One start, from reset to a jump, to DFU or to another reset."""
    yield Delay(START_SECONDS)
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, FLAGS_SIZE))
    cause = sum(CAUSE_BITS[name] for name in board.causes)
    if (flags.firmware_version, flags.reset_cause) != (VERSION, cause):
        flags.firmware_version, flags.reset_cause = VERSION, cause
        yield from save(board, flags)
    modes = Modes()
    modes.copy = flags.ota == layout.OTA_READY
    modes.rollback = flags.ota == layout.OTA_COPYING
    modes.factory = flags.factory == layout.FACTORY_REQUESTED
    if board.dr[1] == ENTER_DFU_ONCE:
        modes.only(dfu=True)
        board.dr[1] = 0xFFFF
    yield from check_health(board, flags, modes, last_resort=nothing)
    yield from watch_button(board, flags, modes)
    if modes.copy:
        yield from install(board, flags)
    elif modes.factory:
        wipes = flags.nvmem == layout.NVMEM_WIPE_PROFILES
        yield from bring_factory_image(board, flags, "white" if wipes else "green")
    elif modes.rollback:
        yield from roll_back(board, flags)
    elif not modes.dfu:
        if plausible_first_word(board.memory.internal.read(layout.APP_ADDRESS, 4)):
            yield Jump(layout.APP_ADDRESS, WATCHDOG_MS)
        if plausible_first_word(board.memory.external.read(layout.FACTORY_ADDRESS, 4)):
            yield from bring_factory_image(board, flags, "green")
    show(board, "yellow", 0.1)
    board.attach(DfuFunction(board, flags, leaves_after=0.5))
    yield Idle()


def nothing(_board: Board) -> Program:
    """The third watchdog reset no longer erases the application."""
    yield from ()


def watch_button(board: Board, flags: SystemFlags, modes: Modes) -> Program:
    """MODE held from reset: 1 s safe mode, 3 s DFU, 6.5 s the factory image, 10 s the same with profiles wiped."""
    if not board.mode_held:
        return
    before = 0.0
    for since, colour in zip(MODE_SECONDS, ("magenta", "yellow", "green", "white"), strict=True):
        if (yield WhileModeHeld(since - before)):
            break
        before = since
        modes.only(factory=since >= MODE_SECONDS[2], dfu=since == MODE_SECONDS[1])
        if since == MODE_SECONDS[3]:
            flags.nvmem = layout.NVMEM_WIPE_PROFILES
        else:
            board.light(colour, 0.1)
    if before == MODE_SECONDS[0]:
        board.event("safe-mode")
        board.dr[1] = SAFE_MODE


def bring_factory_image(board: Board, flags: SystemFlags, colour: str) -> Program:
    """Copy the factory slot in; the request stays until that is done."""
    show(board, colour, 0.05)
    yield from restore(board, layout.FACTORY_ADDRESS)
    flags.factory = layout.WORD_BLANK
    flags.factory_done = layout.FACTORY_RESET_DONE
    yield from finish(board, flags)
