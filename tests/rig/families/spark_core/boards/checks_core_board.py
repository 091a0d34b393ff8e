"""Checks of a Core's board: an update that is read back, power that is off, each with a planted fault."""

from __future__ import annotations

from types import SimpleNamespace

from rig.errors import DeviceFault, LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, settle
from tests.rig.stand_ins import Lines, Ticking


def an_update_that_did_not_reach_flash_is_noticed(tmp_path):
    board = into_dfu(core_in_memory())
    device = UsbInMemory(board)
    port = SimpleNamespace(device=lambda: device, identity=lambda: None)
    driven = SparkCore(
        "core-01", relay=None, mode=None, usb=port, clock=SimpleNamespace(now=lambda: 0, sleep=device.sleep)
    )
    driven.update(ROLES["new"])
    settle(board)
    assert board.running == "core-new"


def a_block_lost_on_the_way_is_a_device_fault(tmp_path):
    board = into_dfu(core_in_memory())
    device = UsbInMemory(board)
    lossy = board.memory.internal.perform
    board.memory.internal.perform = lambda run, a, b: lossy(run, a, b) if run.address != 0x0800_5400 else None
    port = SimpleNamespace(device=lambda: device, identity=lambda: None)
    driven = SparkCore(
        "core-01", relay=None, mode=None, usb=port, clock=SimpleNamespace(now=lambda: 0, sleep=device.sleep)
    )
    noticed = False
    try:
        driven.update(ROLES["new"])
    except DeviceFault:
        noticed = True
    assert noticed


def power_off_noticed(closed, identity) -> bool:
    lines = Lines(closed, identity)
    try:
        SparkCore("core-01", relay=lines, mode=None, usb=lines, clock=Ticking()).power_off()
    except LabFault:
        return True
    return False


def a_board_that_stays_powered_is_a_lab_fault(tmp_path):
    assert power_off_noticed(False, "1d50:607d"), "another feed, or swapped cables"
    assert power_off_noticed(True, None), "a sticky relay"
    assert not power_off_noticed(False, None)
