"""USB/IP 1.1.1 on the wire, as the Linux kernel and usbipd speak it (its Documentation/usb/usbip_protocol.rst).

Headers are big-endian; setup packets and descriptors inside them stay little-endian. Unpacking raises ProtocolError
on anything a peer should not send.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

VERSION = 0x0111
PORT = 3240

REQ_DEVLIST, REP_DEVLIST = 0x8005, 0x0005
REQ_IMPORT, REP_IMPORT = 0x8003, 0x0003
CMD_SUBMIT, CMD_UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4

STATUS_OK, STATUS_ERROR = 0, 1
SPEED_FULL = 2
STALL, CONNECTION_RESET = -32, -104

OP_SIZE, BUSID_SIZE, DEVICE_SIZE, HEADER_SIZE = 8, 32, 312, 48
MAX_TRANSFER = 64 * 1024

_COMMAND = struct.Struct(">IIIIIIIIII8s")
_RET_SUBMIT = struct.Struct(">IIIIIiIIII8x")
_RET_UNLINK = struct.Struct(">IIIIIi24x")
_REPLY = struct.Struct(">IIIIIiI")


class ProtocolError(Exception):
    """The peer sent something that is not USB/IP."""


def op(code: int, status: int = STATUS_OK) -> bytes:
    """The eight bytes that open every request and reply outside of URBs."""
    return struct.pack(">HHI", VERSION, code, status)


def unpack_op(raw: bytes) -> tuple[int, int]:
    """Code and status of an opening."""
    version, code, status = struct.unpack(">HHI", raw)
    if version != VERSION:
        raise ProtocolError(f"version {version:#06x} is not {VERSION:#06x}")
    return code, status


#: Where a twin's server says that its device is; on a machine with a board there is no such bus.
_TWINS = "/sys/devices/twin/"


class ExportedDevice(NamedTuple):
    """A device as DEVLIST and IMPORT describe it; `is_twin` is the server's word, not the device's."""

    busid: str
    bus: int
    device: int
    speed: int
    vendor: int
    product: int
    release: int
    class_triple: tuple[int, int, int]
    configuration: int
    configurations: int
    interfaces: tuple[tuple[int, int, int], ...]
    is_twin: bool = True

    def pack(self) -> bytes:
        """The 312 bytes both replies share."""
        where = _TWINS if self.is_twin else "/sys/devices/pci0000:00/0000:00:14.0/"
        return struct.pack(
            ">256s32sIIIHHHBBBBBB",
            f"{where}usb{self.bus}/{self.busid}".encode(),
            self.busid.encode(),
            self.bus,
            self.device,
            self.speed,
            self.vendor,
            self.product,
            self.release,
            *self.class_triple,
            self.configuration,
            self.configurations,
            len(self.interfaces),
        )

    def pack_interfaces(self) -> bytes:
        """What DEVLIST adds: class, subclass, protocol and a padding byte for each interface."""
        return b"".join(bytes([*triple, 0]) for triple in self.interfaces)

    @classmethod
    def unpack(cls, raw: bytes) -> tuple[ExportedDevice, int]:
        """A device without its interfaces, and how many of them follow in a DEVLIST."""
        path, busid, bus, device, speed, vendor, product, release, *rest = struct.unpack(">256s32sIIIHHHBBBBBB", raw)
        one, two, three, configuration, configurations, interfaces = rest
        name = busid.split(b"\0")[0].decode("ascii", "replace")
        triple, is_twin = (one, two, three), path.startswith(_TWINS.encode())
        return cls(
            name, bus, device, speed, vendor, product, release, triple, configuration, configurations, (), is_twin
        ), interfaces


class Submit(NamedTuple):
    """CMD_SUBMIT: one transfer on endpoint `ep`; `length` is the buffer's size, OUT data follows the header."""

    seqnum: int
    devid: int
    to_host: bool
    ep: int
    length: int
    setup: bytes
    flags: int = 0
    interval: int = 0

    def pack(self) -> bytes:
        """The 48 bytes."""
        seqnum, devid, to_host, ep, length, setup, flags, interval = self
        return _COMMAND.pack(CMD_SUBMIT, seqnum, devid, to_host, ep, flags, length, 0, 0, interval, setup)


class Unlink(NamedTuple):
    """CMD_UNLINK: take back the transfer with sequence number `victim`."""

    seqnum: int
    devid: int
    victim: int

    def pack(self) -> bytes:
        """The 48 bytes."""
        return struct.pack(">IIIIII24x", CMD_UNLINK, self.seqnum, self.devid, 0, 0, self.victim)


def unpack_command(raw: bytes) -> Submit | Unlink:
    """Read a command header of 48 bytes."""
    code, seqnum, devid, direction, ep, flags, length, _frame, packets, interval, setup = _COMMAND.unpack(raw)
    if code == CMD_UNLINK:
        return Unlink(seqnum, devid, victim=flags)
    if code != CMD_SUBMIT:
        raise ProtocolError(f"command {code:#x} is neither submit nor unlink")
    if direction > 1 or ep > 15:
        raise ProtocolError(f"direction {direction} or endpoint {ep} does not exist")
    if length > MAX_TRANSFER:
        raise ProtocolError(f"a transfer of {length} bytes is over the limit of {MAX_TRANSFER}")
    if packets not in (0, 0xFFFF_FFFF):
        raise ProtocolError("isochronous transfers are not served")
    return Submit(seqnum, devid, bool(direction), ep, length, setup, flags, interval)


def ret_submit(seqnum: int, status: int, actual: int, data: bytes = b"") -> bytes:
    """RET_SUBMIT with the data of an IN transfer behind it; device, direction and endpoint are 0 in replies."""
    return _RET_SUBMIT.pack(RET_SUBMIT, seqnum, 0, 0, 0, status, actual, 0, 0, 0) + data


def ret_unlink(seqnum: int, status: int) -> bytes:
    """RET_UNLINK: -104 when the victim was still pending, else 0."""
    return _RET_UNLINK.pack(RET_UNLINK, seqnum, 0, 0, 0, status)


class Reply(NamedTuple):
    """RET_SUBMIT or RET_UNLINK: `actual` bytes of data follow a RET_SUBMIT of an IN transfer."""

    code: int
    seqnum: int
    status: int
    actual: int


def unpack_reply(raw: bytes) -> Reply:
    """Read a reply header of 48 bytes."""
    code, seqnum, _devid, _direction, _ep, status, actual = _REPLY.unpack_from(raw)
    if code not in (RET_SUBMIT, RET_UNLINK):
        raise ProtocolError(f"reply {code:#x} is neither to a submit nor to an unlink")
    return Reply(code, seqnum, status, actual if code == RET_SUBMIT else 0)
