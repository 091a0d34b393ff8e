"""The USB port of a board: what hangs on it now, and how to talk to it, over USB/IP or this machine's libusb."""

from __future__ import annotations

import errno
from typing import Any

import attr
import usb.core
import usb.util
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.clock import Clock, poll
from rig.drivers.place import place_name, place_tags
from rig.drivers.usb_device import SPARK_VENDOR, every_device, identity_of, read_language, read_string, usb_fault
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import list_devices
from rig.errors import LabFault, Misdescribed, RigError, Unreachable
from rig.formats.usbip import ProtocolError
from rig.ports import format_address

DFU, LISTENING = "1d50:607f", "1d50:607d"
#: What they are called when people are told.
NAMED = {DFU: f"{DFU} (DFU)", LISTENING: f"{LISTENING} (listening)"}
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
        self.serves_twin = False
        tags, _ = place_tags(self.target)
        self._busid = self.busid or tags.get("busid", "1-1")

    @Driver.check_active  # type: ignore[untyped-decorator]
    def identity(self) -> str | None:
        """`VVVV:PPPP` of what hangs on the port now, None for nothing. Raises LabFault without a server."""
        return self._offered().get(self._busid)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def other_dfu_devices(self) -> dict[str, Misdescribed]:
        """Cores in DFU under other bus ids, each with what is wrong if it is the one meant. Raises LabFault."""
        offered, place = self._offered(), place_name(self.target)
        text = f"{'its environment' if self.busid else 'the tag'} says busid={self._busid}, which "
        text += f"{format_address(self.service.address, self.service.port)} does not offer while the board is in DFU"
        text += f": it offers {', '.join(f'{busid} ({seen})' for busid, seen in sorted(offered.items()))}"
        mends = "write busid: {} into it" if self.busid else f"`labgrid-client -p {place} set-tags busid={{}}`"
        return {
            busid: Misdescribed(f"{text}; its own is {busid}", board=place, hint=mends.format(busid))
            for busid, seen in offered.items()
            if seen == DFU and busid != self._busid
        }

    def _offered(self) -> dict[str, str]:
        """`VVVV:PPPP` of what the server exports now, by bus id. Raises LabFault without a server."""
        try:
            devices = list_devices(self.service.address, self.service.port)
        except (OSError, ProtocolError) as error:
            raise self._fault(error) from error
        self.serves_twin |= any(device.is_twin for device in devices if device.busid == self._busid)
        return {device.busid: f"{device.vendor:04x}:{device.product:04x}" for device in devices}

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
    #: Whatever is attached here from elsewhere looks like a device of this machine.
    serves_twin = False

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

    def other_dfu_devices(self) -> dict[str, Misdescribed]:
        """None: it is found by its serial number, wherever it hangs."""
        return {}

    def _find(self) -> Any:
        """The board, None while it is not there. Raises LabFault where a device that may be it is not ours to open."""
        device, denied = self._look()
        if denied is not None:
            poll(lambda: self._look()[1] is None, seconds=UDEV_SECONDS, clock=Clock())
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
