"""DFU 1.1a with ST's extensions ("DfuSe"): requests, states, commands and the memory layout a device announces."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rig.errors import Misuse

DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT = range(7)

IDLE, DNLOAD_SYNC, DNBUSY, DNLOAD_IDLE = 2, 3, 4, 5
MANIFEST_SYNC, MANIFEST, MANIFEST_WAIT_RESET, UPLOAD_IDLE, ERROR = 6, 7, 8, 9, 10

STATE_NAMES = {
    0: "appIDLE", 1: "appDETACH", 2: "dfuIDLE", 3: "dfuDNLOAD-SYNC", 4: "dfuDNBUSY", 5: "dfuDNLOAD-IDLE",
    6: "dfuMANIFEST-SYNC", 7: "dfuMANIFEST", 8: "dfuMANIFEST-WAIT-RESET", 9: "dfuUPLOAD-IDLE", 10: "dfuERROR",
}  # fmt: skip

STATUS_OK, STATUS_ERR_FIRMWARE, STATUS_ERR_UNKNOWN, STATUS_ERR_STALLED = 0, 10, 14, 15

COMMAND_GET, COMMAND_SET_POINTER, COMMAND_ERASE = 0x00, 0x21, 0x41
FIRST_DATA_BLOCK = 2


class Status(NamedTuple):
    """The answer to GETSTATUS: code, milliseconds to wait before the next one, state."""

    code: int
    poll_ms: int
    state: int

    @classmethod
    def unpack(cls, raw: bytes) -> Status:
        """Read the six bytes of an answer."""
        return cls(raw[0], int.from_bytes(raw[1:4], "little"), raw[4])

    def pack(self) -> bytes:
        """The six bytes as sent."""
        return bytes([self.code]) + self.poll_ms.to_bytes(3, "little") + bytes([self.state, 0])


def pointer_command(address: int) -> bytes:
    """Data of the download (block 0) that sets the address pointer."""
    return struct.pack("<BI", COMMAND_SET_POINTER, address)


def erase_command(address: int) -> bytes:
    """Data of the download (block 0) that erases the page holding `address`."""
    return struct.pack("<BI", COMMAND_ERASE, address)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of equal pages: first address, one past the last, page size in bytes, what may be done there."""

    start: int
    end: int
    page: int
    readable: bool
    erasable: bool
    writable: bool


_MULTIPLIER = {"": 1, " ": 1, "B": 1, "K": 1024, "M": 1024 * 1024}
_SECTORS = re.compile(r"\s*([0-9]{1,7})\*\s*([0-9]{1,7})([ BKM]?)([a-g])")
_ADDRESS = re.compile(r"/\s*0x([0-9A-Fa-f]{1,8})\s*/")
ADDRESS_SPACE = 1 << 32


def parse_layout(text: str) -> list[Segment]:
    """Read an alternate setting's name, e.g. `@Internal Flash  /0x08000000/20*001Ka,108*001Kg`.

    The letter counts bits: 1 readable, 2 erasable, 4 writable. What follows a layout that is whole is ignored: devices
    send what lies behind the string in their memory. Raises Misuse for anything else.
    """
    at = text.find("/")
    if not text.startswith("@") or at < 0:
        raise Misuse(f"not a DfuSe memory layout: {text!r}")
    segments: list[Segment] = []
    while (found := _ADDRESS.match(text, at)) is not None:
        address, at = int(found[1], 16), found.end()
        while True:
            sectors = _SECTORS.match(text, at)
            if sectors is None:
                raise Misuse(f"not a sector group in a DfuSe memory layout: {text[at:]!r}")
            segment = _segment(address, sectors)
            segments.append(segment)
            address, at = segment.end, sectors.end()
            if text[at : at + 1] != ",":
                break
            at += 1
    if not segments or text[at : at + 1] == "/":
        raise Misuse(f"not an address in a DfuSe memory layout: {text[at:]!r}")
    return segments


def _segment(address: int, sectors: re.Match[str]) -> Segment:
    page, bits = int(sectors[2]) * _MULTIPLIER[sectors[3]], ord(sectors[4]) & 7
    end = address + int(sectors[1]) * page
    if not address < end <= ADDRESS_SPACE:
        raise Misuse(f"no memory in a DfuSe memory layout: {sectors[0]!r} at {address:#x}")
    return Segment(address, end, page, bool(bits & 1), bool(bits & 2), bool(bits & 4))


def page_at(segments: Sequence[Segment], address: int, guess: int = 1024) -> tuple[int, int]:
    """First address and size of the page an address is in; where no segment is announced the size is a guess."""
    found = next((segment for segment in segments if segment.start <= address < segment.end), None)
    start, size = (found.start, found.page) if found is not None else (0, guess)
    return address - (address - start) % size, size


def memories(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """First addresses and ends of memories: segments that follow one another are one."""
    joined: list[tuple[int, int]] = []
    for segment in sorted(segments, key=lambda segment: segment.start):
        if joined and joined[-1][1] == segment.start:
            joined[-1] = (joined[-1][0], segment.end)
        else:
            joined.append((segment.start, segment.end))
    return joined
