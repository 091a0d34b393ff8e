"""Which devices can do DFU, told by their descriptors and strings alone: nothing is sent that could disturb one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import usb.core
import usb.util

from rig.drivers.usb_device import every_device, identity_of, read_language, read_string, usb_fault
from rig.errors import LabFault, Misuse, RigError
from rig.formats.dfuse import Segment, parse_layout

DFU_INTERFACE = (0xFE, 0x01)
#: Protocols of a DFU interface: of a device that runs and could be brought into DFU mode, and of one that is in it.
RUNTIME, DFU_MODE = 1, 2


@dataclass(frozen=True, slots=True)
class Alternate:
    """A setting of a DFU interface: numbers of both, what it is called, the memory it announces by its name.

    A name that cannot be read is None; one that is no DfuSe layout has no segments.
    """

    interface: int
    number: int
    name: str | None
    segments: tuple[Segment, ...]

    def holds(self, address: int) -> bool:
        """Whether an address is in its memory."""
        return any(segment.start <= address < segment.end for segment in self.segments)


@dataclass(frozen=True, slots=True)
class DfuDevice:
    """A device with a DFU interface. `fault` says why it cannot be driven; None for one that can."""

    device: Any
    identity: str
    serial: str | None
    alternates: tuple[Alternate, ...]
    fault: RigError | None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its memories."""
        return tuple(segment for alternate in self.alternates for segment in alternate.segments)


def find_dfu(backend: Any = None) -> list[DfuDevice]:
    """Every device with a DFU interface that `backend` sees (None: this machine's libusb). Raises LabFault."""
    return [found for device in every_device(backend) if (found := describe(device)) is not None]


def describe(device: Any) -> DfuDevice | None:
    """What a device says of itself; None for one without DFU. It is free again afterwards."""
    settings = dfu_settings(device)
    if not settings:
        return None
    serial: str | None = None
    alternates: tuple[Alternate, ...] = ()
    fault: RigError | None = None
    try:
        language = read_language(device)
        serial = read_string(device, device.iSerialNumber, language)
        alternates = read_alternates(device, settings, language)
    except usb.core.USBError as error:
        fault = usb_fault(error, "open", device)
    finally:
        usb.util.dispose_resources(device)
    return DfuDevice(device, identity_of(device), serial, alternates, fault or _unfit(settings, alternates))


def dfu_settings(device: Any) -> list[Any]:
    """Settings of the first interface in DFU mode; where there is none, of the first that could be brought into it."""
    try:
        settings = [entry for entry in device[0] if (entry.bInterfaceClass, entry.bInterfaceSubClass) == DFU_INTERFACE]
    except (usb.core.USBError, IndexError):
        return []  # nobody can say what it is
    chosen = [entry for entry in settings if entry.bInterfaceProtocol == DFU_MODE] or settings
    return [entry for entry in chosen if entry.bInterfaceNumber == chosen[0].bInterfaceNumber]


def read_alternates(device: Any, settings: list[Any], language: int) -> tuple[Alternate, ...]:
    """The settings with their names and memories. Raises USBError."""
    names = [read_string(device, entry.iInterface, language) for entry in settings]
    return tuple(
        Alternate(entry.bInterfaceNumber, entry.bAlternateSetting, name, _segments(name))
        for entry, name in zip(settings, names, strict=True)
    )


def _segments(name: str | None) -> tuple[Segment, ...]:
    try:
        return tuple(parse_layout(name or ""))
    except Misuse:
        return ()


def _unfit(settings: list[Any], alternates: tuple[Alternate, ...]) -> RigError | None:
    protocol = settings[0].bInterfaceProtocol
    if protocol == RUNTIME:
        return LabFault("it is not in DFU mode: its firmware runs")
    if protocol != DFU_MODE:
        return LabFault(f"its DFU interface has protocol {protocol}, neither runtime nor DFU mode")
    if not any(alternate.name for alternate in alternates):
        return LabFault("the names of its memories cannot be read")
    if not any(alternate.segments for alternate in alternates):
        return LabFault("it announces no DfuSe memory: it does plain DFU")
    return None
