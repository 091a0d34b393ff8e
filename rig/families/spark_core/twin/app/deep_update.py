"""The deep update: an application that rewrites the EEPROM of its radio, in order, with its windows (reference §8).

What the EEPROM had is in RAM only from the file table on until it is written back: who loses power there loses the
radio's own address and calibration, and who loses it in a patch may lose the radio. How long each file takes is an
estimate: nothing was measured.
"""

from __future__ import annotations

from rig.families.spark_core.formats.flash import NVMEM_WIPE_PROFILES, WORD_BLANK, SystemFlags
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.radio import DEFAULT_CALIBRATION, HALF, NONE, WHOLE, Eeprom, factory_mac
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Delay, Idle, Program, Reset

MOST_ATTEMPTS = 5
START_SECONDS, TABLE_SECONDS, SMALL_FILE_SECONDS = 1.0, 0.5, 0.2
#: 8,048 and 4,616 bytes in portions of 32.
DRIVER_SECONDS, FIRMWARE_SECONDS = 5.0, 3.0


def deep_update(board: Board, flags: SystemFlags, wanted: str) -> Program:
    """Patch the radio unless it has this version already, or it was tried too often. Ends in a reset, or returns."""
    eeprom = board.radio.eeprom
    if not eeprom.starts:
        board.event("radio-blocked")
        board.light("green", 0.1)
        yield Idle()
    attempts = 0 if flags.nvmem == WORD_BLANK else flags.nvmem
    if eeprom.version == wanted or attempts >= MOST_ATTEMPTS:
        return
    board.event(f"deep-update:{attempts}")
    board.light("magenta", 0)
    yield from _patch(board, eeprom, wanted)
    if eeprom.version == wanted:
        board.event("deep-update-done")
        flags.nvmem = NVMEM_WIPE_PROFILES  # the same value as one attempt that failed
    else:
        flags.nvmem = attempts + 1
    yield from save(board, flags)
    yield Reset()


def _patch(board: Board, eeprom: Eeprom, wanted: str) -> Program:
    yield Delay(START_SECONDS)
    mac = eeprom.mac or factory_mac(board.uid)
    calibration = eeprom.calibration if eeprom.calibration != NONE else DEFAULT_CALIBRATION
    eeprom.table, eeprom.mac, eeprom.calibration = False, None, NONE
    eeprom.driver_patch = eeprom.firmware_patch = NONE
    yield from _window(board, "table", TABLE_SECONDS)
    eeprom.table = True
    yield from _window(board, "calibration", SMALL_FILE_SECONDS)
    eeprom.calibration = calibration
    yield from _window(board, "address", SMALL_FILE_SECONDS)
    eeprom.mac = mac
    eeprom.driver_patch = HALF
    yield from _window(board, "driver", DRIVER_SECONDS)
    eeprom.driver_patch, eeprom.firmware_patch = WHOLE, HALF
    yield from _window(board, "firmware", FIRMWARE_SECONDS)
    eeprom.firmware_patch = WHOLE
    if eeprom.refusals:
        eeprom.refusals -= 1
    else:
        eeprom.version = wanted
    board.radio.on_change()
    yield Delay(START_SECONDS)


def _window(board: Board, name: str, seconds: float) -> Program:
    board.radio.on_change()
    board.event(f"eeprom:{name}")
    yield Delay(seconds)
