"""The USB port of a board: what hangs on it now, and how to talk to it, over USB/IP or this machine's libusb."""

from __future__ import annotations

import errno
from typing import Any

import attr
import usb.core
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.drivers.place import place_name, place_tags
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import list_devices
from rig.errors import LabFault
from rig.formats.usbip import ProtocolError
from rig.ports import format_address

SPARK_VENDOR = 0x1D50
DFU, LISTENING = "1d50:607f", "1d50:607d"


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
        if getattr(error, "errno", None) == errno.EBUSY:
            return LabFault(f"the USB device at {where} is in use", board=place_name(self.target))
        return LabFault(
            f"no USB/IP at {where}: {error}", board=place_name(self.target), hint="is the exporter's host up?"
        )


@target_factory.reg_driver
@attr.s(eq=False)
class LibusbPortDriver(Driver):  # type: ignore[misc]
    """A board on this machine's own USB, found by its serial number."""

    serial: str = attr.ib(validator=attr.validators.instance_of(str))

    @Driver.check_active  # type: ignore[untyped-decorator]
    def identity(self) -> str | None:
        """`VVVV:PPPP` of the board as it shows itself now, None while it is not there."""
        device = self._find()
        return None if device is None else f"{device.idVendor:04x}:{device.idProduct:04x}"

    @Driver.check_active  # type: ignore[untyped-decorator]
    def device(self) -> Any:
        """The pyusb device. Raises LabFault when it is not there."""
        device = self._find()
        if device is None:
            raise LabFault(f"no Spark Core with serial {self.serial} on USB", board=place_name(self.target))
        return device

    def _find(self) -> Any:
        try:
            found = list(usb.core.find(find_all=True, idVendor=SPARK_VENDOR))
        except usb.core.NoBackendError as error:
            raise LabFault("no libusb on this machine", hint="install libusb-1.0") from error
        return next((device for device in found if _serial_of(device) == self.serial), None)


def _serial_of(device: Any) -> str | None:
    """The serial number; None when the device is gone again, or is not ours to open."""
    try:
        return str(device.serial_number)
    except (usb.core.USBError, ValueError):
        return None
