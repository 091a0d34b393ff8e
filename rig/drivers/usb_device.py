"""What any USB device may be asked, an odd one too: who it is, its strings, and whose fault it is when that fails."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import usb.backend.libusb1
import usb.core

from rig.errors import DeviceFault, LabFault, RigError
from rig.formats import usb as wire

SPARK_VENDOR = 0x1D50
#: The language of strings where a device does not say which it has.
ENGLISH = 0x0409
TIMEOUT_MS = 1000
RULES_FILE = "/etc/udev/rules.d/50-rig.rules"


def every_device(backend: Any = None) -> Iterator[Any]:
    """Every pyusb device that `backend` sees (None: this machine's libusb); one that is too odd hides no other.

    Raises LabFault.
    """
    backend = backend or usb.backend.libusb1.get_backend()
    if backend is None:
        raise LabFault("no libusb on this machine", phase="list", hint="install libusb-1.0")
    try:
        for handle in backend.enumerate_devices():
            try:
                device = usb.core.Device(handle, backend)
            except usb.core.USBError:
                continue  # gone again, or nobody can say what it is
            yield device
    except usb.core.USBError as error:
        raise usb_fault(error, "list") from error


def identity_of(device: Any) -> str:
    """`VVVV:PPPP`, its vendor and product in hex."""
    return f"{device.idVendor:04x}:{device.idProduct:04x}"


def port_of(device: Any) -> tuple[int | None, tuple[int, ...] | None]:
    """Where it hangs: the bus, and the ports on the way to it. A device that enumerates again is there again."""
    return device.bus, device.port_numbers


def read_language(device: Any) -> int:
    """The first language of its strings, English where it has no table of them. Raises USBError, but for a stall."""
    raw = _read_descriptor(device, 0, 0)
    return int.from_bytes(raw[2:4], "little") if len(raw) >= 4 else ENGLISH


def read_string(device: Any, index: int, language: int = ENGLISH) -> str | None:
    """String number `index`; None where there is none, or what there is is no string. Raises USBError."""
    return wire.parse_string(_read_descriptor(device, index, language)) if index else None


def _read_descriptor(device: Any, index: int, language: int) -> bytes:
    value = wire.DESCRIPTOR_STRING << 8 | index
    try:
        return bytes(device.ctrl_transfer(0x80, wire.GET_DESCRIPTOR, value, language, 255, TIMEOUT_MS))
    except usb.core.USBError as error:
        if error.errno == errno.EPIPE:
            return b""
        raise


def udev_rule(device: Any) -> str:
    """The line that lets users of the group plugdev, and whoever is logged in, open a device like this one."""
    product = "607[df]" if device.idVendor == SPARK_VENDOR else f"{device.idProduct:04x}"
    which = f'ATTRS{{idVendor}}=="{device.idVendor:04x}", ATTRS{{idProduct}}=="{product}"'
    return f'SUBSYSTEM=="usb", {which}, MODE="0660", GROUP="plugdev", TAG+="uaccess"'


def usb_fault(error: usb.core.USBError, phase: str, device: Any = None) -> RigError:
    """A USB error as one of ours: a stall is the device's fault, one that is gone may have lost its power."""
    if error.errno == errno.EPIPE:
        return DeviceFault("request stalled", phase=phase)
    if error.errno in (errno.EACCES, errno.EPERM) and device is not None:
        hint = f"put this line into {RULES_FILE} and plug it in again: {udev_rule(device)}"
        return LabFault(f"no permission to open USB device {identity_of(device)}", phase=phase, hint=hint)
    if error.errno == errno.EBUSY:
        hint = "who has it imported, or open?"
        return LabFault("USB: the device is in use by somebody else", phase=phase, hint=hint)
    return LabFault(f"USB: {error.strerror or error}", phase=phase, hint="is the board powered?")
