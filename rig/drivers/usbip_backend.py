"""A pyusb backend over USB/IP, so that code written for local USB drives exported devices and twins unchanged."""

from __future__ import annotations

import errno
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import usb.core
from usb.backend import IBackend

from rig.drivers.usbip_link import UsbipLink, list_devices
from rig.formats import usb as wire
from rig.formats.usb import Setup
from rig.formats.usbip import ExportedDevice, ProtocolError
from rig.ports import format_address

_DEVICE = ("bLength bDescriptorType bcdUSB:2 bDeviceClass bDeviceSubClass bDeviceProtocol bMaxPacketSize0 idVendor:2 "
           "idProduct:2 bcdDevice:2 iManufacturer iProduct iSerialNumber bNumConfigurations")  # fmt: skip
_CONFIGURATION = ("bLength bDescriptorType wTotalLength:2 bNumInterfaces bConfigurationValue iConfiguration "
                  "bmAttributes bMaxPower")  # fmt: skip
_INTERFACE = ("bLength bDescriptorType bInterfaceNumber bAlternateSetting bNumEndpoints bInterfaceClass "
              "bInterfaceSubClass bInterfaceProtocol iInterface")  # fmt: skip
_ENDPOINT = "bLength bDescriptorType bEndpointAddress bmAttributes wMaxPacketSize:2 bInterval"


def _parse(fields: str, raw: bytes) -> SimpleNamespace:
    """Read a descriptor's little-endian fields under the names pyusb expects."""
    descriptor, at = SimpleNamespace(extra_descriptors=array("B"), bRefresh=0, bSynchAddress=0), 0
    for entry in fields.split():
        name, _, size = entry.partition(":")
        width = int(size or 1)
        setattr(descriptor, name, int.from_bytes(raw[at : at + width], "little"))
        at += width
    return descriptor


@dataclass(slots=True)
class _Remote:
    """One exported device, and its descriptors once they were read, or why they could not be."""

    host: str
    port: int
    exported: ExportedDevice
    link: UsbipLink | None = None
    device: bytes = b""
    configurations: list[bytes] = field(default_factory=list)
    error: Exception | None = None


class UsbipBackend(IBackend):  # type: ignore[misc]
    """Devices that the USB/IP server at `host`:`port` exports; with `busid` only that one."""

    def __init__(self, host: str, port: int, busid: str | None = None):
        self._host, self._port, self._busid = host, port, busid

    def enumerate_devices(self) -> Iterator[_Remote]:
        """Every exported device; none while the server cannot be reached."""
        try:
            exported = list_devices(self._host, self._port)
        except (OSError, ProtocolError) as error:
            raise usb.core.USBError(
                f"USB/IP server {format_address(self._host, self._port)}: {error}", None, _number(error)
            ) from error
        for device in exported:
            if self._busid in (None, device.busid):
                yield _Remote(self._host, self._port, device)

    def get_device_descriptor(self, dev: _Remote) -> SimpleNamespace:
        """The device descriptor, with what only the bus knows. One that cannot be imported is told as it is listed."""
        self._read_descriptors(dev)
        descriptor = _parse(_DEVICE, dev.device)
        descriptor.address, descriptor.bus, descriptor.speed = dev.exported.device, dev.exported.bus, dev.exported.speed
        descriptor.port_numbers = _ports(dev.exported.busid)
        descriptor.port_number = descriptor.port_numbers[-1]
        return descriptor

    def get_configuration_descriptor(self, dev: _Remote, config: int) -> SimpleNamespace:
        """Configuration number `config`; IndexError ends the count."""
        return _parse(_CONFIGURATION, self._configuration(dev, config))

    def get_interface_descriptor(self, dev: _Remote, intf: int, alt: int, config: int) -> SimpleNamespace:
        """Setting `alt` of the `intf`-th interface; IndexError ends the count."""
        return self._interface(dev, intf, alt, config)[0]

    def get_endpoint_descriptor(self, dev: _Remote, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        """The `ep`-th endpoint of an interface setting."""
        return self._interface(dev, intf, alt, config)[1][ep]

    def open_device(self, dev: _Remote) -> _Remote:
        """Import the device and configure it: nobody else does. One that could not even be read is not asked again."""
        if dev.error is not None:
            raise _usb_error(dev.error)
        if dev.link is None:
            dev.link = _import(dev)
            try:
                self.set_configuration(dev, dev.configurations[0][5] if dev.configurations else 1)
            except usb.core.USBError as error:
                self.close_device(dev)
                number = errno.EIO if error.errno == errno.EPIPE else error.errno
                raise usb.core.USBError("it cannot be configured", None, number) from error
        return dev

    def close_device(self, handle: _Remote) -> None:
        """Give it back."""
        if handle.link is not None:
            handle.link.close()
            handle.link = None

    def set_configuration(self, handle: _Remote, value: int) -> None:
        """SET_CONFIGURATION."""
        self.ctrl_transfer(handle, 0x00, wire.SET_CONFIGURATION, value, 0, array("B"), 1000)

    def get_configuration(self, handle: _Remote) -> int:
        """GET_CONFIGURATION."""
        answer = array("B", [0])
        self.ctrl_transfer(handle, 0x80, wire.GET_CONFIGURATION, 0, 0, answer, 1000)
        return answer[0]

    def set_interface_altsetting(self, handle: _Remote, intf: int, alt: int) -> None:
        """SET_INTERFACE."""
        self.ctrl_transfer(handle, 0x01, wire.SET_INTERFACE, alt, intf, array("B"), 1000)

    def claim_interface(self, handle: _Remote, intf: int) -> None:
        """An import claims the whole device."""

    def release_interface(self, handle: _Remote, intf: int) -> None:
        """See claim_interface."""

    def is_kernel_driver_active(self, handle: _Remote, intf: int) -> bool:
        """No kernel has the device while we do."""
        return False

    def ctrl_transfer(
        self, handle: _Remote, request_type: int, request: int, value: int, index: int, data: Any, timeout: int
    ) -> int:
        """One control transfer; `data` is filled or sent. Raises USBError (errno 32, 110, 19)."""
        if handle.link is None:
            raise usb.core.USBError("device is not open", None, errno.ENODEV)
        setup = Setup(request_type, request, value, index, len(data))
        try:
            if not request_type & 0x80:
                handle.link.control(setup, data.tobytes(), timeout / 1000)
                return len(data)
            incoming = handle.link.control(setup, b"", timeout / 1000)
        except (OSError, ProtocolError) as error:
            raise _usb_error(error) from error
        data[: len(incoming)] = array("B", incoming)
        return len(incoming)

    # -- descriptors -------------------------------------------------------------------------------------------------

    def _read_descriptors(self, dev: _Remote) -> None:
        if dev.device:
            return
        try:
            dev.device, dev.configurations = _ask(dev)
        except (OSError, ProtocolError) as error:
            dev.error = error
            dev.device, dev.configurations = _as_listed(dev.exported)

    def _configuration(self, dev: _Remote, config: int) -> bytes:
        self._read_descriptors(dev)
        return dev.configurations[config]

    def _interface(
        self, dev: _Remote, intf: int, alt: int, config: int
    ) -> tuple[SimpleNamespace, list[SimpleNamespace]]:
        found: dict[tuple[int, int], tuple[SimpleNamespace, list[SimpleNamespace]]] = {}
        raw, at, current = self._configuration(dev, config), 0, None
        while at + 2 <= len(raw) and raw[at] >= 2:
            piece = raw[at : at + raw[at]]
            at += raw[at]
            if piece[1] == wire.DESCRIPTOR_INTERFACE:
                current = _parse(_INTERFACE, piece)
                found[current.bInterfaceNumber, current.bAlternateSetting] = (current, [])
            elif piece[1] == wire.DESCRIPTOR_ENDPOINT and current is not None:
                found[current.bInterfaceNumber, current.bAlternateSetting][1].append(_parse(_ENDPOINT, piece))
            elif current is not None:
                current.extra_descriptors.extend(piece)
        number = sorted({number for number, _ in found})[intf]
        return [found[key] for key in sorted(found) if key[0] == number][alt]


def _ports(busid: str) -> tuple[int, ...]:
    """Ports on the way to a device, as its bus id tells them: (2, 1) for `1-2.1`."""
    numbers = busid.partition("-")[2].split(".")
    return tuple(int(number) for number in numbers) if all(map(_is_number, numbers)) else (1,)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4


def _ask(dev: _Remote) -> tuple[bytes, list[bytes]]:
    """Descriptors of the device and of its configurations, as it tells them. Raises OSError, ProtocolError."""
    link = dev.link or UsbipLink(dev.host, dev.port, dev.exported.busid)
    try:
        device = _descriptor(link, wire.DESCRIPTOR_DEVICE, 0, 18)
        configurations = []
        for index in range(device[17]):
            head = _descriptor(link, wire.DESCRIPTOR_CONFIGURATION, index, 9)
            total = max(9, int.from_bytes(head[2:4], "little"))
            configurations.append(_descriptor(link, wire.DESCRIPTOR_CONFIGURATION, index, total))
        return device, configurations
    finally:
        if dev.link is None:
            link.close()


def _as_listed(exported: ExportedDevice) -> tuple[bytes, list[bytes]]:
    """Descriptors with what a device list tells: classes, and no strings. Whoever opens the device is told the rest."""
    numbers = (exported.vendor, exported.product, exported.release)
    device = struct.pack("<BBH4B3H4B", 18, 1, 0x0200, *exported.class_triple, 64, *numbers, 0, 0, 0, 1)
    interfaces = [
        bytes([9, wire.DESCRIPTOR_INTERFACE, number, 0, 0, *triple, 0])
        for number, triple in enumerate(exported.interfaces)
    ]
    total = 9 * (1 + len(interfaces))
    head = struct.pack("<BBH5B", 9, wire.DESCRIPTOR_CONFIGURATION, total, len(interfaces), 1, 0, 0x80, 50)
    return device, [head + b"".join(interfaces)]


def _descriptor(link: UsbipLink, kind: int, index: int, length: int) -> bytes:
    raw = link.control(Setup(0x80, wire.GET_DESCRIPTOR, kind << 8 | index, 0, length))
    if len(raw) < length:
        raise ProtocolError(f"a descriptor of {length} bytes came with {len(raw)}")
    return raw


def _import(dev: _Remote) -> UsbipLink:
    try:
        return UsbipLink(dev.host, dev.port, dev.exported.busid)
    except (OSError, ProtocolError) as error:
        raise _usb_error(error) from error


def _number(error: Exception) -> int:
    return (error.errno if isinstance(error, OSError) else None) or errno.EIO


def _usb_error(error: Exception) -> usb.core.USBError:
    number = _number(error)
    kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
    return kind(getattr(error, "strerror", None) or str(error), None, number)
