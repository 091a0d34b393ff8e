"""Boards in DFU driven by hand: on this machine's USB, on a USB/IP server, or in a labgrid place."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.boards.spark_core import refuse
from rig.drivers.dfu_host import DfuHost, EraseOrder, Watcher, find_dfu
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import list_devices
from rig.errors import DeviceFault, LabFault, Misuse
from rig.files import MOST_IMAGE, read_given
from rig.firmware.core_image import read_core_image
from rig.firmware.manifest import Image
from rig.formats.dfu_suffix import split_suffix
from rig.formats.dfuse import Segment
from rig.formats.usbip import ProtocolError
from rig.ports import read_address


@dataclass(frozen=True, slots=True)
class Where:
    """Where to look: a USB/IP server `HOST:PORT`, or this machine's USB; and which device when there are several."""

    usbip: str | None = None
    serial: str | None = None

    def backend(self) -> Any:
        """The pyusb backend. Raises Misuse, LabFault."""
        if self.usbip is None:
            return None
        host, port = read_address(self.usbip, "--usbip", "127.0.0.1:3240")
        try:
            list_devices(host, port)
        except (OSError, ProtocolError) as error:
            raise LabFault(f"no USB/IP server at {self.usbip}: {error}", hint="is usbipd or the twin up?") from error
        return UsbipBackend(host, port)


@dataclass(frozen=True, slots=True)
class Found:
    """A device in DFU mode."""

    device: Any
    identity: str
    serial: str
    segments: tuple[Segment, ...]


def find_devices(where: Where) -> list[Found]:
    """Every device in DFU mode, with its memories. Raises Misuse, LabFault."""
    found = []
    for device in find_dfu(where.backend()):
        identity = f"{device.idVendor:04x}:{device.idProduct:04x}"
        try:
            serial = DfuHost(device).serial_number()
            if where.serial not in (None, serial):
                continue
            with DfuHost(device) as host:
                found.append(Found(device, identity, serial, tuple(host.segments)))
        except (DeviceFault, LabFault) as error:
            print(f"rig: a device {identity} is in DFU mode, but cannot be used: {error}", file=sys.stderr)
    return found


def the_device(where: Where) -> Found:
    """The one device that is meant. Raises Misuse when there are several, LabFault when there is none."""
    found = find_devices(where)
    place = where.usbip or "this machine's USB"
    if not found:
        raise LabFault(
            f"no device in DFU mode at {place}" + (f" with serial {where.serial}" if where.serial else ""),
            hint="hold MODE for 4 s from reset until the LED blinks yellow",
        )
    if len(found) > 1:
        serials = ", ".join(entry.serial for entry in found)
        raise Misuse(f"{len(found)} devices are in DFU mode at {place}: {serials}", hint="choose one with --serial")
    return found[0]


def read_memory(found: Found, address: int, length: int | None, watch: Watcher) -> bytes:
    """`length` bytes from `address`; without a length to the end of the memory. Raises Misuse, LabFault."""
    memory = next((span for span in _joined(found.segments) if span[0] <= address < span[1]), None)
    if memory is None:
        told = ", ".join(f"{start:#010x} to {end:#010x}" for start, end in _joined(found.segments))
        raise Misuse(f"{address:#010x} is in no memory of the device", hint=f"it has {told}")
    end = memory[1] if length is None else address + length
    if not address < end <= memory[1]:
        raise Misuse(f"from {address:#010x} the memory has {memory[1] - address:,} bytes, not {length:,}")
    with DfuHost(found.device, watch=watch) as host:
        return host.read(address, end - address)


@dataclass(frozen=True, slots=True)
class Write:
    """What to write: a file's content without its suffix, where, and how."""

    image: Image
    address: int
    order: EraseOrder = EraseOrder.ALL_FIRST
    leave: bool = False
    force: bool = False


def load_file(path: Path, found: Found) -> Image:
    """An image from a file as dfu-util takes it: a suffix is checked and stripped. Raises Misuse."""
    content = read_given(path, MOST_IMAGE)
    data, suffix = split_suffix(content, str(path))
    vendor, product = (int(part, 16) for part in found.identity.split(":"))
    if suffix is not None and not suffix.fits(vendor, product):
        raise Misuse(f"{path} is for {suffix.vendor:04x}:{suffix.product:04x}, the device is {found.identity}")
    if not data:
        raise Misuse(f"{path} is empty")
    return Image(path.name, "spark-core", "unknown", data, "ok")


def image_for_core(path: Path, *, force: bool) -> bytes:
    """What is to be sent to a Core over the air; unless forced, only what one could run. Raises Misuse."""
    content = read_given(path, MOST_IMAGE)
    return read_core_image(content, str(path), force=force)


def write_memory(found: Found, write: Write, watch: Watcher) -> float:
    """Write, read back, and leave if told to; returns seconds. Raises Misuse, DeviceFault, LabFault."""
    began = time.monotonic()
    with DfuHost(found.device, watch=watch) as host:
        if not write.force:
            refuse(write.image, write.address, host)
        host.write(write.address, write.image.data, write.order)
        if host.read(write.address, len(write.image)) != write.image.data:
            raise DeviceFault(f"{write.image.name} was written, but reads back different", phase="program")
        if write.leave:
            host.leave(write.address)
    return time.monotonic() - began


def _joined(segments: tuple[Segment, ...]) -> list[tuple[int, int]]:
    """Segments that follow one another as one memory."""
    joined: list[tuple[int, int]] = []
    for segment in sorted(segments, key=lambda segment: segment.start):
        if joined and joined[-1][1] == segment.start:
            joined[-1] = (joined[-1][0], segment.end)
        else:
            joined.append((segment.start, segment.end))
    return joined
