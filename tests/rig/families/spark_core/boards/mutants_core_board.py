"""Planted faults of a Core's board: an update that is read back, power that is off."""

from __future__ import annotations

from rig.drivers.dfu_host import DfuHost
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.mode_button import ModeButton
from rig.families.spark_core.boards.timing import Timing
from rig.families.spark_core.twin import dfu
from tests.rig.families.spark_core.boards import checks_core_board as check
from tests.rig.families.spark_core.boards import checks_held
from tests.rig.families.spark_core.twin.models import ROLES


def _let_go_first(mode):
    board = mode._board
    board.power_off()
    with board.buttons.held(mode._wired()):
        began = board.clock.now()
        board.power_on()
        board.clock.sleep(board.timing.mode_hold)
    return board.clock.now() - began


def _write_nothing(self, address, data):
    return
    yield


MUTANTS = {
    "twin: DFU writes nothing": (
        lambda m: (
            m.setattr(dfu.DfuFunction, "_write", _write_nothing),
            m.setattr(DfuHost, "read", lambda self, a, n: ROLES["new"].data[:n]),
        ),
        check.an_update_that_did_not_reach_flash_is_noticed,
    ),
    "driver: what was written is not read back": (
        lambda m: m.setattr(DfuHost, "read", lambda self, address, length: ROLES["new"].data[:length]),
        check.a_block_lost_on_the_way_is_a_device_fault,
    ),
    "board: off is believed without a sign": (
        lambda m: m.setattr(SparkCore, "verify_off", lambda self: None),
        check.a_board_that_stays_powered_is_a_lab_fault,
    ),
    "board: nobody measures how long MODE was held": (
        lambda m: m.setattr(Timing, "mode_held_too_long", 1e9),
        checks_held.held(checks_held.hold_is_refused, "b", [6.1]),
    ),
    "board: MODE is let go before the Core listens": (
        lambda m: m.setattr(Timing, "listening_hold", 3.5),
        checks_held.mode_is_held_until_the_core_listens,
    ),
    "board: a late hand lets go of MODE first": (
        lambda m: m.setattr(ModeButton, "_hold_for_dfu", _let_go_first),
        checks_held.held(checks_held.comes_into_dfu, "c", [4.0]),
    ),
}
