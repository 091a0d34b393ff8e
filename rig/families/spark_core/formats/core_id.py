"""A Core's id: 24 hex digits, the unique id of its chip; what it shows on USB is another number, computed from it."""

from __future__ import annotations


def usb_serial(uid: bytes) -> str:
    """The 12 hex digits that DFU and listening mode announce, from the 12-byte unique id (reference §4.1)."""
    words = [int.from_bytes(uid[at : at + 4], "little") for at in (0, 4, 8)]
    return f"{(words[0] + words[2]) & 0xFFFFFFFF:08X}{words[1] >> 16:04X}"
