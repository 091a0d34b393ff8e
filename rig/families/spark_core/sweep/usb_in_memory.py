"""A Core in memory as pyusb would hand it out, for the DFU host that also drives hardware."""

from __future__ import annotations

import errno
from array import array
from types import SimpleNamespace
from typing import Any

import usb.core

from rig.families.spark_core.twin.core import Core
from rig.formats.usb import Setup


class UsbInMemory:
    """A device without a bus; time is the model's own. A lost supply is errno 19."""

    def __init__(self, core: Core):
        self.core = core
        self.slept: list[float] = []
        self.iManufacturer, self.iSerialNumber = 1, 3
        self._ctx = SimpleNamespace(dispose=lambda _device: None)

    def sleep(self, seconds: float) -> None:
        """Let the model's time pass."""
        self.slept.append(seconds)
        self.core.advance(self.core.time + seconds)

    def __getitem__(self, index: int) -> list[SimpleNamespace]:
        dfu = {"bInterfaceClass": 0xFE, "bInterfaceSubClass": 1, "bInterfaceProtocol": 2, "bInterfaceNumber": 0}
        return [SimpleNamespace(bAlternateSetting=i, iInterface=4 + i, **dfu) for i in (0, 1)]

    def set_interface_altsetting(self, interface: int, alternate: int) -> None:
        """Configure and select."""
        self.ctrl_transfer(0x00, 9, 1, 0, b"")
        self.ctrl_transfer(0x01, 11, alternate, interface, b"")

    def ctrl_transfer(self, bmRequestType: int, bRequest: int, wValue: int = 0, wIndex: int = 0,
                      data_or_wLength: Any = 0, timeout: int = 0) -> Any:  # fmt: skip
        """One control transfer, and its status stage."""
        while self.core.busy and self.core.step():
            pass
        if self.core.usb is None:
            raise usb.core.USBError("gone", None, errno.ENODEV)
        to_host, data = bool(bmRequestType & 0x80), data_or_wLength
        length = data if isinstance(data, int) else len(data)
        setup = Setup(bmRequestType, bRequest, wValue, wIndex, length)
        reply = self.core.control(setup, b"" if to_host else bytes(data), self.core.time)
        if reply is None:
            raise usb.core.USBError("stall", None, errno.EPIPE)
        self.core.acknowledge(self.core.time)
        return array("B", reply) if to_host else length
