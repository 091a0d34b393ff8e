"""Checks of the host's side of DFU: polls, order, stalls and answers, each with a planted fault."""

from __future__ import annotations

import usb.core

from rig.drivers import usbip_backend
from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.errors import DeviceFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from tests.rig.drivers import test_dfu_host
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory


def poll_times_are_honoured(tmp_path):
    board = into_dfu(core_in_memory())
    device = UsbInMemory(board)
    with DfuHost(device, sleep=device.sleep) as host:
        device.slept.clear()
        host.erase(layout.APP_ADDRESS)
    assert device.slept == [0.05]


def all_pages_are_erased_before_the_first_block(tmp_path):
    board = into_dfu(core_in_memory())
    device, seen = UsbInMemory(board), []
    with DfuHost(device, sleep=device.sleep, watch=lambda progress: seen.append(progress.phase)) as host:
        host.write(layout.APP_ADDRESS, ROLES["new"].data, EraseOrder.ALL_FIRST)
    assert seen == ["erase"] * test_dfu_host.PAGES + ["program"] * test_dfu_host.PAGES


def a_stall_reaches_the_host_as_errno_32(tmp_path):
    error = usbip_backend._usb_error(OSError(32, "Broken pipe"))
    assert isinstance(error, usb.core.USBError)
    assert error.errno == 32


def a_short_answer_is_the_devices_fault(tmp_path):
    board = into_dfu(core_in_memory())
    device = UsbInMemory(board)
    noticed = False
    with DfuHost(device, sleep=device.sleep) as host:
        device.ctrl_transfer = lambda *_args: b"\0"
        try:
            host._status()
        except DeviceFault:
            noticed = True
    assert noticed
