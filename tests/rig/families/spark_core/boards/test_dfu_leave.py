"""A board that is gone before it has answered that it leaves: genuine Cores do that, and dead ones look alike."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest
import usb.core

from rig.drivers.dfu_host import DfuHost
from rig.errors import DeviceFault, LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.lab import dfu as by_hand
from rig.families.spark_core.lab.dfu import Where, Write, the_device, write_memory
from rig.families.spark_core.lab.dfu_files import Piece
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, served_core, settle
from tests.rig.twin.usbip_host import Plug, usbip_host

NEW = ROLES["new"]
LEAVE = Write((Piece(layout.APP_ADDRESS, NEW),), leave=True)


@pytest.fixture
def core(tmp_path):
    """A Core in DFU whose application shows itself on USB soon."""
    state = tmp_path / "core"
    state.mkdir()
    (state / "internal.bin").write_bytes(b"\xff" * 131_072)
    (state / "external.bin").write_bytes(b"\xff" * 2_097_152)
    with served_core(state, time_scale=0.05) as core:
        yield core


def write_and_leave(core, plug):
    with usbip_host(core, plug=plug) as port:
        return write_memory(the_device(Where(f"127.0.0.1:{port}")), LEAVE, lambda _progress: None)


def test_a_board_that_was_gone_too_soon_and_is_back_has_left(core):
    assert write_and_leave(core, Plug()) > 0
    assert core.call("status")["running"] == "core-new"


def test_a_board_that_was_gone_and_stays_away_is_a_lab_fault(core, monkeypatch):
    monkeypatch.setattr(by_hand, "BACK_SECONDS", 0.5)
    with pytest.raises(LabFault, match="gone before it had answered, and not back on USB"):
        write_and_leave(core, Plug(pulled=lambda: core.power(False)))


def test_a_board_that_did_not_answer_and_is_in_dfu_has_not_left(core, monkeypatch):
    monkeypatch.setattr(by_hand, "BACK_SECONDS", 0.5)
    with pytest.raises(DeviceFault, match="is in DFU mode"):
        write_and_leave(core, Plug(passes=False))


# -- a bench's own path ------------------------------------------------------------------------------------------------


class Leaving(UsbInMemory):
    """The requests of a leave, from the one without data on, fail with `number` once `heard` of them reached it."""

    def __init__(self, core, number=errno.ENODEV, heard=2):
        super().__init__(core)
        self.number, self.heard, self.leaving = number, heard, 0

    def ctrl_transfer(self, bmRequestType, bRequest, wValue=0, wIndex=0, data_or_wLength=0, timeout=0):
        self.leaving += bool(self.leaving or (bRequest == 1 and data_or_wLength == b""))
        if self.leaving <= self.heard:
            answer = super().ctrl_transfer(bmRequestType, bRequest, wValue, wIndex, data_or_wLength, timeout)
        if self.leaving >= self.heard > 0 and self.leaving:
            raise usb.core.USBError("it went", None, self.number)
        return answer


def on_a_bench(device, *, fed, identity=None):
    """A board on its bench; `fed` is what its relay reads back, `identity` what is on its USB after the leave."""
    port = SimpleNamespace(device=lambda: device, identity=lambda: identity)
    clock = SimpleNamespace(now=lambda: device.core.time, sleep=device.sleep, slowdown=lambda: 1.0)
    return SparkCore("core-01", relay=SimpleNamespace(get=lambda: fed), mode=None, usb=port, clock=clock)


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO, errno.ETIMEDOUT, errno.EPROTO])
def test_an_update_on_a_bench_is_good_where_the_relay_feeds_a_board_that_left_without_a_word(number):
    device = Leaving(into_dfu(core_in_memory()), number)
    on_a_bench(device, fed=True).update(NEW)
    settle(device.core)
    assert device.core.running == "core-new"


def test_a_board_that_lost_its_supply_while_it_left_is_a_lab_fault():
    device = Leaving(into_dfu(core_in_memory()))
    with pytest.raises(LabFault, match="core-01 in commit: lost its supply"):
        on_a_bench(device, fed=False).update(NEW)


def test_a_board_that_says_nothing_and_stays_in_dfu_is_its_own_fault():
    device = Leaving(into_dfu(core_in_memory()), heard=1)
    with pytest.raises(DeviceFault, match="does not leave DFU"):
        on_a_bench(device, fed=True, identity="1d50:607f").update(NEW)


def test_a_board_that_refuses_to_leave_is_its_own_fault():
    device = Leaving(into_dfu(core_in_memory()), errno.EPIPE)
    with pytest.raises(DeviceFault, match="core-01 in commit: request stalled"):
        on_a_bench(device, fed=True).update(NEW)


def test_whoever_aims_at_the_commit_hears_of_a_board_that_left_without_a_word():
    device, heard = Leaving(into_dfu(core_in_memory())), []
    with DfuHost(device, sleep=device.sleep, watch=lambda progress: heard.append(progress.phase)) as host:
        assert host.leave(layout.APP_ADDRESS) is False
    assert heard == ["commit"]
