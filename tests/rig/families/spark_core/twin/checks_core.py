"""Checks of the model of a Core: its flash, its supply, its watchdog, each with a planted fault."""

from __future__ import annotations

import contextlib

from rig.drivers.dfu_host import DfuHost
from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.formats import dfuse
from tests.rig.drivers import test_dfu_host
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, settle


def programming_only_clears_bits(tmp_path):
    memory = core_in_memory().memory.external
    for data in (b"\x0f\x0f", b"\xf0\xf0"):
        run = memory.programming(0x1000, data)
        memory.perform(run, 0, run.count)
    assert memory.read(0x1000, 2) == b"\x00\x00"


def internal_flash_refuses_what_is_not_blank(tmp_path):
    board = into_dfu(core_in_memory())
    with DfuHost(UsbInMemory(board), sleep=board.advance) as host:
        host._download(0, dfuse.pointer_command(layout.APP_ADDRESS))
        host._download(dfuse.FIRST_DATA_BLOCK, b"\x55" * 64)
    assert board.memory.app()[: len(ROLES["old"])] == ROLES["old"].data


def a_cut_after_the_flags_were_erased_strands(tmp_path):
    board = into_dfu(core_in_memory())
    device = UsbInMemory(board)
    with DfuHost(device, sleep=device.sleep) as host, contextlib.suppress(LabFault):
        board.memory.journal.fuse = (1, None)
        host.leave(layout.APP_ADDRESS)
        settle(board)
    board.power_on(board.time)
    settle(board)
    assert board.running is None
    assert board.usb.identity == "1d50:607f"


def registers_do_not_survive_a_power_cut(tmp_path):
    board = core_in_memory()
    board.power_on(0)
    board.advance(5)
    board.power_off(5)
    board.power_on(6)
    assert board.dr[1] == 0


def a_board_without_power_is_gone_from_usb(tmp_path):
    board = core_in_memory()
    board.power_on(0)
    board.advance(5)
    assert board.usb is not None
    board.power_off(5)
    assert board.usb is None


def a_crash_is_noticed_by_the_watchdog(tmp_path):
    board = into_dfu(core_in_memory())
    device = UsbInMemory(board)
    with DfuHost(device, sleep=device.sleep) as host:
        host.write(layout.APP_ADDRESS, test_dfu_host.NEW.data[:1024] + b"\xaa" * 1024)
        host.leave(layout.APP_ADDRESS)
    settle(board)
    assert board.running == "core-previous"
