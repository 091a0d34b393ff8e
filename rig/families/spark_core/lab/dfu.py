"""Boards in DFU driven by hand: on this machine's USB, on a USB/IP server, or in a labgrid place."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.clock import Clock, poll
from rig.drivers.dfu_devices import DfuDevice, find_dfu
from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.drivers.progress import Watcher
from rig.drivers.usb_device import every_device, identity_of, port_of
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import list_devices
from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.boards.writable import refuse
from rig.families.spark_core.drivers.usb_port import DFU
from rig.families.spark_core.firmware.image import read_core_image
from rig.families.spark_core.lab.dfu_files import Piece
from rig.files import MOST_IMAGE, read_user_file
from rig.formats.dfuse import memories
from rig.formats.usbip import ProtocolError
from rig.ports import read_address

#: How long a board that is told to leave may take until it shows itself on USB again.
BACK_SECONDS = 10.0


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


def find_devices(where: Where) -> list[DfuDevice]:
    """Every device with a DFU interface, fit to be driven or not. Raises Misuse, LabFault."""
    found = find_dfu(where.backend())
    return [device for device in found if where.serial in (None, device.serial)]


def the_device(where: Where) -> DfuDevice:
    """The one device that is meant: where several would do, the Core.

    Raises Misuse when it may be any of several, and LabFault when there is none.
    """
    seen = find_dfu(where.backend())
    fit = [device for device in seen if device.fault is None and where.serial in (None, device.serial)]
    chosen = [device for device in fit if device.identity == DFU] or fit
    place = where.usbip or "this machine's USB"
    if not chosen:
        over = [device for device in seen if None in (where.serial, device.serial) or device.serial == where.serial]
        raise _nothing(over, f"at {place}" + (f" with serial {where.serial}" if where.serial else ""))
    if len(chosen) > 1:
        serials = ", ".join(repr(entry.serial) for entry in chosen)
        raise Misuse(f"{len(chosen)} devices are in DFU mode at {place}: {serials}", hint="choose one with --serial")
    return chosen[0]


def _nothing(over: list[DfuDevice], where: str) -> LabFault:
    """No device will do; those that were passed over are named, a Core first."""
    ranked = sorted(over, key=lambda device: device.identity != DFU)
    faults = [(device.identity, device.fault) for device in ranked if device.fault is not None]
    hints = [fault.hint for _, fault in faults if fault.hint]
    return LabFault(
        f"no device in DFU mode {where}" + "".join(f"; {identity}: {fault.message}" for identity, fault in faults),
        hint=hints[0] if hints else "hold MODE for 4 s from reset until the LED blinks yellow",
    )


def read_memory(found: DfuDevice, address: int, length: int | None, watch: Watcher) -> bytes:
    """`length` bytes from `address`; without a length to the end of the memory. Raises Misuse, LabFault."""
    memory = next((span for span in memories(found.segments) if span[0] <= address < span[1]), None)
    if memory is None:
        announced = ", ".join(f"{start:#010x} to {end:#010x}" for start, end in memories(found.segments))
        raise Misuse(f"{address:#010x} is in no memory of the device", hint=f"it has {announced}")
    end = memory[1] if length is None else address + length
    if not address < end <= memory[1]:
        raise Misuse(f"from {address:#010x} the memory has {memory[1] - address:,} bytes, not {length:,}")
    with DfuHost(found.device, watch=watch) as host:
        return host.read(address, end - address)


@dataclass(frozen=True, slots=True)
class Write:
    """What to write, sorted by address, and how; `leave` lets the board start it."""

    pieces: tuple[Piece, ...]
    order: EraseOrder = EraseOrder.ALL_FIRST
    leave: bool = False
    force: bool = False


def image_for_core(path: Path, *, force: bool) -> bytes:
    """What is to be sent to a Core over the air; unless forced, only what one could run. Raises Misuse."""
    return read_core_image(read_user_file(path, MOST_IMAGE), str(path), force=force)


def write_memory(found: DfuDevice, write: Write, watch: Watcher) -> float:
    """Write, read back, and leave if told to; returns seconds. Raises Misuse, DeviceFault, LabFault."""
    began, answered = time.monotonic(), True
    with DfuHost(found.device, watch=watch) as host:
        if not write.force:
            for piece in write.pieces:
                refuse(piece.image, piece.address, host)
        for piece in write.pieces:
            host.write(piece.address, piece.image.data, write.order)
        for piece in write.pieces:
            if host.read(piece.address, len(piece.image)) != piece.image.data:
                raise DeviceFault(f"{piece.image.name} was written, but reads back different", phase="program")
        if write.leave:
            answered = host.leave(write.pieces[0].address)
    if not answered:
        _see_it_return(found)
    return time.monotonic() - began


def _see_it_return(found: DfuDevice) -> None:
    """A board that was gone before it had answered: it has left when it is back, and not in DFU. Raises a fault."""
    seen: list[str | None] = [None]

    def is_back() -> bool:
        seen[0] = _identity_at(found)
        return seen[0] not in (None, found.identity)

    if poll(is_back, seconds=BACK_SECONDS, clock=Clock(), every=0.1):
        return
    if seen[0] is not None:
        raise DeviceFault(
            "did not answer when it was told to leave, and is in DFU mode", phase="commit", hint="reset it"
        )
    raise LabFault(
        f"gone before it had answered, and not back on USB within {BACK_SECONDS:.0f} s; what was written read back",
        phase="commit",
        hint="has it power? Firmware that shows nothing on USB looks the same",
    )


def _identity_at(found: DfuDevice) -> str | None:
    """What hangs now on the port where a device hung; None for nothing, or while nobody can tell."""
    try:
        here = (d for d in every_device(found.device.backend) if port_of(d) == port_of(found.device))
        return next((identity_of(device) for device in here), None)
    except LabFault:
        return None
