"""Planted faults of the host's side of DFU: polls, order, stalls and answers."""

from __future__ import annotations

from rig.drivers import dfu_host, usbip_backend
from rig.drivers.dfu_host import DfuHost, EraseOrder
from tests.rig.drivers import checks_dfu_host as check

REAL_WRITE = DfuHost.write


def _trusting_in(self, request, value, length):
    return bytes(self.device.ctrl_transfer(0xA1, request, value, 0, length)).ljust(length, b"\0")


def _impatient_status(self, begun=None):
    from rig.formats.dfuse import GETSTATUS, Status

    return Status.unpack(bytes(self._in(GETSTATUS, 0, 6)))


def _always_interleaved(self, address, data, order=None):
    REAL_WRITE(self, address, data, EraseOrder.INTERLEAVED)


MUTANTS = {
    "driver: poll times are ignored": (
        lambda m: m.setattr(dfu_host.DfuHost, "_status", _impatient_status),
        check.poll_times_are_honoured,
    ),
    "driver: the erase order is ignored": (
        lambda m: m.setattr(dfu_host.DfuHost, "write", _always_interleaved),
        check.all_pages_are_erased_before_the_first_block,
    ),
    "driver: a stall is told as no such device": (
        lambda m: m.setattr(usbip_backend, "_number", lambda error: 19),
        check.a_stall_reaches_the_host_as_errno_32,
    ),
    "driver: short answers are taken as they are": (
        lambda m: m.setattr(DfuHost, "_in", _trusting_in),
        check.a_short_answer_is_the_devices_fault,
    ),
}
