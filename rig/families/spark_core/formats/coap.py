"""Messages between a Spark Core and its cloud: CoAP's header, token and options, nothing else of CoAP.

What other libraries would reject is usual here: raw CRC bytes in Uri-Query, tokens in acknowledgements that never had
one, empty requests with a token (spark-protocol's Messages.js).
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field

VERSION = 1
PAYLOAD_MARKER = 0xFF
#: The class of codes that say that something was done.
SUCCESS = 2


class Malformed(Exception):
    """The peer sent bytes that are no message or no frame."""


class Type(enum.IntEnum):
    """Whether an acknowledgement is wanted."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class Code(enum.IntEnum):
    """What is asked for, or how it went."""

    EMPTY = 0x00
    GET = 0x01
    POST = 0x02
    PUT = 0x03
    CHANGED = 0x44
    CONTENT = 0x45
    BAD_REQUEST = 0x80


class Option(enum.IntEnum):
    """The options in use."""

    URI_PATH = 11
    MAX_AGE = 14
    URI_QUERY = 15


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `options` are (number, value) in ascending order, `payload` is None where there is no marker."""

    type: Type
    code: int
    mid: int
    token: bytes = b""
    options: tuple[tuple[int, bytes], ...] = field(default=())
    payload: bytes | None = None

    def pack(self) -> bytes:
        """The bytes on the wire, before padding and encryption."""
        head = struct.pack(">BBH", VERSION << 6 | self.type << 4 | len(self.token), self.code, self.mid)
        tail = b"" if self.payload is None else bytes([PAYLOAD_MARKER]) + self.payload
        return head + self.token + _pack_options(self.options) + tail

    @classmethod
    def parse(cls, raw: bytes) -> Message:
        """Read a message. Raises Malformed."""
        if len(raw) < 4 or raw[0] >> 6 != VERSION:
            raise Malformed(f"{raw[:4].hex() or 'nothing'} begins no message")
        tokens = raw[0] & 0x0F
        if tokens > 8 or len(raw) < 4 + tokens:
            raise Malformed(f"a token of {tokens} bytes")
        options, payload = _parse_options(raw[4 + tokens :])
        (mid,) = struct.unpack_from(">H", raw, 2)
        return cls(Type(raw[0] >> 4 & 3), raw[1], mid, raw[4 : 4 + tokens], options, payload)

    def values(self, option: Option) -> list[bytes]:
        """The values of one option, in order."""
        return [value for number, value in self.options if number == option]

    @property
    def path(self) -> bytes:
        """The first Uri-Path: one letter that says what a request is about; empty without one."""
        return next((value for number, value in self.options if number == Option.URI_PATH), b"")

    @property
    def is_refusal(self) -> bool:
        """Whether an answer says no: by any code but none and 2.xx.

        Up to 0.4.7 Cores mean 4.00 and say 0.01 (`x<<5 || y`, device-os v0.4.4 spark_protocol.cpp:40).
        """
        return self.code != Code.EMPTY and self.code >> 5 != SUCCESS


def path(*segments: bytes) -> tuple[tuple[int, bytes], ...]:
    """Uri-Path options."""
    return tuple((Option.URI_PATH, segment) for segment in segments)


def _pack_options(options: tuple[tuple[int, bytes], ...]) -> bytes:
    out, last = bytearray(), 0
    for number, value in options:
        delta, delta_more = _nibble(number - last)
        length, length_more = _nibble(len(value))
        out += bytes([delta << 4 | length]) + delta_more + length_more + value
        last = number
    return bytes(out)


def _nibble(number: int) -> tuple[int, bytes]:
    if number < 13:
        return number, b""
    if number < 269:
        return 13, bytes([number - 13])
    return 14, struct.pack(">H", number - 269)


def _parse_options(raw: bytes) -> tuple[tuple[tuple[int, bytes], ...], bytes | None]:
    options: list[tuple[int, bytes]] = []
    at = number = 0
    while at < len(raw):
        if raw[at] == PAYLOAD_MARKER:
            return tuple(options), raw[at + 1 :]
        delta, length = raw[at] >> 4, raw[at] & 0x0F
        delta, at = _extended(raw, at + 1, delta)
        length, at = _extended(raw, at, length)
        if at + length > len(raw):
            raise Malformed(f"an option of {length} bytes, {len(raw) - at} are there")
        number += delta
        options.append((number, raw[at : at + length]))
        at += length
    return tuple(options), None


def _extended(raw: bytes, at: int, nibble: int) -> tuple[int, int]:
    more = {13: 1, 14: 2}.get(nibble, 0)
    if nibble == 15 or at + more > len(raw):
        raise Malformed("an option that does not end")
    if not more:
        return nibble, at
    return int.from_bytes(raw[at : at + more], "big") + (13 if more == 1 else 269), at + more
