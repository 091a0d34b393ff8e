"""The USB port of a board: what hangs on it now, and how to talk to it, over USB/IP or this machine's libusb."""

from __future__ import annotations

import errno
from typing import Any

import attr
import usb.core
import usb.util
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.clock import Clock, look_for
from rig.drivers.place import place_name, place_tags
from rig.drivers.usb_device import SPARK_VENDOR, every_device, identity_of, read_language, read_string, usb_fault
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import list_devices
from rig.errors import LabFault, RigError, Unreachable
from rig.formats.usbip import ProtocolError
from rig.ports import format_address

DFU, LISTENING = "1d50:607f", "1d50:607d"
#: How long udev may take to give a device that has just enumerated to its group.
UDEV_SECONDS = 2.0


@target_factory.reg_driver
@attr.s(eq=False)
class UsbipPortDriver(Driver):  # type: ignore[misc]
    """A board exported by a USB/IP server: a twin, or a stock usbipd beside the real board.

    Which of the server's devices it is stands in the place's tag `busid`, or in `busid` here.
    """

    bindings = {"service": "NetworkService"}  # noqa: RUF012 (labgrid's convention)
    busid: str = attr.ib(default="", validator=attr.validators.instance_of(str))

    def on_activate(self) -> None:
        """Find out which device is ours."""
        tags, _ = place_tags(self.target)
        self._busid = self.busid or tags.get("busid", "1-1")

    @Driver.check_active  # type: ignore[untyped-decorator]
    def identity(self) -> str | None:
        """`VVVV:PPPP` of what hangs on the port now, None for nothing. Raises LabFault without a server."""
        try:
            devices = list_devices(self.service.address, self.service.port)
        except (OSError, ProtocolError) as error:
            raise self._fault(error) from error
        for device in devices:
            if device.busid == self._busid:
                return f"{device.vendor:04x}:{device.product:04x}"
        return None

    @Driver.check_active  # type: ignore[untyped-decorator]
    def device(self) -> Any:
        """The pyusb device that hangs on the port. Raises LabFault when there is none."""
        backend = UsbipBackend(self.service.address, self.service.port, self._busid)
        try:
            device = usb.core.find(backend=backend)
        except usb.core.USBError as error:
            raise self._fault(error) from error
        if device is None:
            raise LabFault("nothing hangs on the USB port", board=place_name(self.target))
        return device

    def _fault(self, error: Exception) -> LabFault:
        where = format_address(self.service.address, self.service.port)
        return Unreachable(
            f"no USB/IP at {where}: {error}", board=place_name(self.target), hint="is the exporter's host up?"
        )


@target_factory.reg_driver
@attr.s(eq=False)
class LibusbPortDriver(Driver):  # type: ignore[misc]
    """A board on this machine's own USB, found by its serial number."""

    serial: str = attr.ib(validator=attr.validators.instance_of(str))

    @Driver.check_active  # type: ignore[untyped-decorator]
    def identity(self) -> str | None:
        """`VVVV:PPPP` of the board as it shows itself now, None while it is not there. Raises LabFault."""
        device = self._find()
        return None if device is None else identity_of(device)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def device(self) -> Any:
        """The pyusb device. Raises LabFault when it is not there."""
        device = self._find()
        if device is None:
            raise LabFault(f"no Spark Core with serial {self.serial} on USB", board=place_name(self.target))
        return device

    def _find(self) -> Any:
        """The board, None while it is not there. Raises LabFault where a device that may be it is not ours to open."""
        device, denied = self._look()
        if denied is not None:
            look_for(lambda: self._look()[1] is None, seconds=UDEV_SECONDS, clock=Clock())
            device, denied = self._look()
        if denied is not None:
            raise denied
        return device

    def _look(self) -> tuple[Any, RigError | None]:
        """The board among the devices of its vendor; without it, why one of them could not be asked who it is."""
        denied = None
        for device in every_device():
            if device.idVendor != SPARK_VENDOR:
                continue
            try:
                if read_string(device, device.iSerialNumber, read_language(device)) == self.serial:
                    return device, None
            except usb.core.USBError as error:
                if error.errno in (errno.EACCES, errno.EPERM):  # others are gone again
                    denied = usb_fault(error, "open", device)
                    denied.board = place_name(self.target)
            finally:
                usb.util.dispose_resources(device)
        return None, denied
