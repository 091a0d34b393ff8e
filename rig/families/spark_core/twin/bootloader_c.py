"""The bootloaders of generation C, device-os v0.4.0 to v1.4.4: they run by default, and bring the factory image where
there is nothing to run (reference §3.2, Appendix E).

Up to three separate saves come before anything else, each a window in which a request can be lost.
"""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags, plausible_first_word
from rig.families.spark_core.twin.copies import Modes, finish, install, restore, show
from rig.families.spark_core.twin.dfu import DfuFunction, DfuManner
from rig.families.spark_core.twin.editions_c import EDITIONS, Edition
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.standby import standby_if_asked
from rig.families.spark_core.twin.steps import HEALTHY, START_SECONDS, WATCHDOG_MS, Board, Jump
from rig.twin.steps import Delay, Idle, Program

FLAGS_SIZE = 18
ENTER_DFU_ONCE, ENTER_SAFE_MODE = 0xEDFA, 0x5AFE
#: Bits of the STM32's RCC_CSR.
CAUSE_BITS = {"pin": 1 << 26, "power-on": 1 << 27, "software": 1 << 28, "watchdog": 1 << 29}


def bootloader(board: Board, edition: Edition = EDITIONS["11"]) -> Program:
    """One start, from reset to a jump, to DFU or to another reset."""
    yield Delay(START_SECONDS)
    yield from standby_if_asked(board)
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, FLAGS_SIZE))
    if not edition.keeps_features:
        flags.features = 0
    yield from note_start(board, flags, edition)
    modes = Modes()
    modes.copy = flags.ota == layout.OTA_READY
    modes.rollback = flags.ota == layout.OTA_COPYING
    modes.factory = flags.factory == layout.FACTORY_REQUESTED
    yield from apply_boot_register(board, flags, modes, edition)
    if board.mode_held:
        yield from edition.hold(board, flags, modes).wait()
    if modes.safe:
        flags.startup_mode = 1
        yield from save(board, flags)
    if modes.copy:
        yield from install(board, flags)
    elif modes.factory:
        wipes = flags.nvmem == layout.NVMEM_WIPE_PROFILES
        yield from bring_factory_image(board, flags, "white" if wipes else "green")
    elif not modes.dfu:
        if modes.rollback:
            yield from roll_back(board, flags)
        if plausible_first_word(board.memory.app_start()):
            yield Jump(layout.APP_ADDRESS, WATCHDOG_MS, at_once=edition.jumps_at_once)
        yield from bring_factory_image(board, flags, "red")
    show(board, "yellow", 0.1)
    board.attach(DfuFunction(board, flags, manner(edition)))
    yield Idle()


def note_start(board: Board, flags: SystemFlags, edition: Edition) -> Program:
    """Note the reset's cause, the own version, and that the start-up mode was seen: each is saved by itself."""
    cause = sum(CAUSE_BITS[name] for name in board.causes)
    if flags.reset_cause != cause:
        flags.reset_cause = cause
        yield from save(board, flags)
    if flags.firmware_version != edition.version:
        flags.firmware_version = edition.version
        yield from save(board, flags)
    if flags.startup_mode != 0:
        flags.startup_mode = 0
        yield from save(board, flags)


def apply_boot_register(board: Board, flags: SystemFlags, modes: Modes, edition: Edition) -> Program:
    """What DR1 asks for, and what it makes of a watchdog reset. Nothing is erased at the third any more."""
    asked = board.dr[1]
    if asked == HEALTHY:
        board.dr[1] = 1
    elif asked == ENTER_DFU_ONCE:
        modes.dfu, board.dr[1] = True, HEALTHY
    elif asked == ENTER_SAFE_MODE and edition.takes_safe_mode_request:
        modes.safe, board.dr[1] = True, HEALTHY
    elif "watchdog" in board.causes:
        if edition.watchdog_clears_modes:
            modes.only()
        modes.rollback |= asked == 1
        modes.factory |= asked == 2
        modes.dfu |= asked == 3
        if asked == 2:
            flags.nvmem = 0
        board.dr[1] = asked + 1 if asked in (1, 2) else HEALTHY
        flags.flashed = 0
        yield from save(board, flags)
        board.causes.clear()


def roll_back(board: Board, flags: SystemFlags) -> Program:
    """Bring back what was backed up last."""
    show(board, "red", 0.05)
    yield from restore(board, layout.BACKUP_ADDRESS)
    flags.flashed = flags.dfu_on_no_firmware = 0
    yield from finish(board, flags)


def bring_factory_image(board: Board, flags: SystemFlags, colour: str) -> Program:
    """Copy the factory slot in, whatever it holds; a request for it stays until that is done."""
    show(board, colour, 0.05)
    yield from restore(board, layout.FACTORY_ADDRESS)
    flags.factory = layout.WORD_BLANK
    flags.flashed = flags.dfu_on_no_firmware = 0
    flags.factory_done = layout.FACTORY_RESET_DONE
    yield from finish(board, flags)


def manner(edition: Edition) -> DfuManner:
    """How its DFU differs from that of generations A and B: it forgets the controller's errors before it writes."""
    maker = "Particle" if edition.leaves_later else "Spark Devices"
    return DfuManner(maker, clears_errors=True, leaves_after=0.5 if edition.leaves_later else None)
