"""Packets of the ESP32's serial loaders, the ROM's and the stub's: operations, requests, replies and their errors.

Facts: esptool's loader.py and serial-protocol.rst. Frames around the packets are slip's.
"""

from __future__ import annotations

import enum
import functools
import operator
import struct
from dataclasses import dataclass

#: The longest block of data that a loader takes (the stub's), and with it the longest packet.
LONGEST_BLOCK = 0x4000
LONGEST_PACKET = 8 + 16 + LONGEST_BLOCK
SYNC_DATA = bytes.fromhex("07071220") + b"\x55" * 32
#: What the stub says, in a frame of its own, when it runs.
GREETING = b"OHAI"

_CHECKSUM_SEED = 0xEF
_BLOCK_HEAD = struct.Struct("<IIII")


class Malformed(Exception):
    """Bytes that are no packet, or a packet without what its operation needs."""


class Op(enum.IntEnum):
    """Operations; those from ERASE_FLASH on are the stub's alone."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUD = 0x0F
    DEFL_BEGIN = 0x10
    DEFL_DATA = 0x11
    DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


class RomError(enum.IntEnum):
    """Why the ROM refuses."""

    MALFORMED = 0x05
    FAILED = 0x06
    CHECKSUM = 0x07
    FLASH_WRITE = 0x08
    FLASH_READ = 0x09
    READ_LENGTH = 0x0A
    DEFLATE = 0x0B


class StubError(enum.IntEnum):
    """Why the stub refuses."""

    DATA_LENGTH = 0xC0
    CHECKSUM = 0xC1
    BLOCK_SIZE = 0xC2
    INVALID = 0xC3
    SPI = 0xC4
    UNLOCK = 0xC5
    NOT_IN_FLASH_MODE = 0xC6
    INFLATE = 0xC7
    NOT_ENOUGH_DATA = 0xC8
    TOO_MUCH_DATA = 0xC9
    UNKNOWN = 0xFF


def checksum(data: bytes) -> int:
    """What a data packet's header says of its payload: 0xEF and every byte, XOR-ed."""
    return functools.reduce(operator.xor, data, _CHECKSUM_SEED)


@dataclass(frozen=True, slots=True)
class Request:
    """What the host asks; `checksum` counts for MEM_DATA, FLASH_DATA and DEFL_DATA."""

    op: int
    data: bytes = b""
    checksum: int = 0

    def pack(self) -> bytes:
        """The packet, to be framed."""
        return struct.pack("<BBHI", 0, self.op, len(self.data), self.checksum) + self.data

    @classmethod
    def parse(cls, raw: bytes) -> Request:
        """Read a packet as it is; whether its length is as it says is `is_whole`. Raises Malformed."""
        if len(raw) < 8 or raw[0] != 0:
            raise Malformed(f"{raw[:8].hex()} begins no request")
        return cls(raw[1], raw[8:], int.from_bytes(raw[4:8], "little"))

    def words(self, count: int) -> tuple[int, ...]:
        """The data as `count` words of 32 bits, no byte more. Raises Malformed."""
        if len(self.data) != 4 * count:
            raise Malformed(f"operation {self.op:#04x} has {len(self.data)} bytes of data, not {4 * count}")
        return struct.unpack(f"<{count}I", self.data)

    def block(self) -> bytes:
        """The payload of a data packet. Raises Malformed when it is not as long as it says."""
        if len(self.data) < _BLOCK_HEAD.size:
            raise Malformed(f"operation {self.op:#04x} has no block")
        size, *_ = _BLOCK_HEAD.unpack_from(self.data)
        payload = self.data[_BLOCK_HEAD.size :]
        if len(payload) != size:
            raise Malformed(f"a block of {len(payload)} bytes says it has {size}")
        return payload


def is_whole(raw: bytes) -> bool:
    """Whether a packet is as long as its header says."""
    return len(raw) >= 8 and len(raw) == 8 + int.from_bytes(raw[2:4], "little")


def block(op: int, payload: bytes, sequence: int) -> Request:
    """A data packet: the payload with its sub-header and checksum."""
    return Request(op, _BLOCK_HEAD.pack(len(payload), sequence, 0, 0) + payload, checksum(payload))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the loader answers; the status bytes are the end of `data`."""

    op: int
    value: int = 0
    data: bytes = b""

    def pack(self) -> bytes:
        """The packet, to be framed."""
        return struct.pack("<BBHI", 1, self.op, len(self.data), self.value) + self.data

    @classmethod
    def parse(cls, raw: bytes) -> Reply:
        """Read a packet. Raises Malformed."""
        if raw[:1] != b"\x01" or not is_whole(raw):
            raise Malformed(f"{raw[:8].hex()} begins no reply")
        return cls(raw[1], int.from_bytes(raw[4:8], "little"), raw[8:])
