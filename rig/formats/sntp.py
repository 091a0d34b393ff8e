"""SNTP packets (RFC 4330): what a device asks for the time with, and what a server answers."""

from __future__ import annotations

import struct

SIZE = 48
PORT = 123
#: Seconds from 1900, where NTP's count begins, to 1970.
EPOCH = 2_208_988_800
_CLIENT, _SERVER = 0x23, 0x24  # version 4, mode 3 and 4
_HEADER = struct.Struct(">BBBb3I")
_STAMP = struct.Struct(">II")


def request(now: float = 0.0) -> bytes:
    """A client's question; `now` is its own clock, in seconds since 1970."""
    return bytes([_CLIENT]).ljust(SIZE - _STAMP.size, b"\x00") + _stamp(now)


def reply(asked: bytes, now: float) -> bytes | None:
    """The answer to a question at `now` (seconds since 1970); None for what is no question."""
    if len(asked) < SIZE or asked[0] & 7 != 3:
        return None
    head = _HEADER.pack(_SERVER, 1, 6, -20, 0, 0, int.from_bytes(b"LOCL", "big"))
    stamp = _stamp(now)
    return head + stamp + asked[SIZE - _STAMP.size : SIZE] + stamp + stamp


def read_reply(answer: bytes) -> float | None:
    """The server's time in seconds since 1970; None for what is no answer. The count began anew in 2036 (§3)."""
    if len(answer) < SIZE or answer[0] & 7 != 4 or answer[1] == 0:
        return None
    seconds, fraction = _STAMP.unpack_from(answer, SIZE - _STAMP.size)
    era = 0 if seconds & 0x80000000 else 1 << 32
    return float(era + seconds - EPOCH + fraction / (1 << 32))


def _stamp(now: float) -> bytes:
    whole, part = divmod(now, 1)
    return _STAMP.pack((int(whole) + EPOCH) & 0xFFFFFFFF, int(part * (1 << 32)) & 0xFFFFFFFF)
