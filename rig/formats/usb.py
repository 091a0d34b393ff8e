"""USB control transfers and the descriptors both ends must agree on (USB 2.0 §9)."""

from __future__ import annotations

import struct
from typing import NamedTuple

GET_STATUS, CLEAR_FEATURE, SET_FEATURE, SET_ADDRESS = 0, 1, 3, 5
GET_DESCRIPTOR, GET_CONFIGURATION, SET_CONFIGURATION, GET_INTERFACE, SET_INTERFACE = 6, 8, 9, 10, 11
DESCRIPTOR_DEVICE, DESCRIPTOR_CONFIGURATION, DESCRIPTOR_STRING = 1, 2, 3
DESCRIPTOR_INTERFACE, DESCRIPTOR_ENDPOINT = 4, 5

DEVICE, INTERFACE, ENDPOINT = 0, 1, 2
STANDARD, CLASS = 0x00, 0x20

_SETUP = struct.Struct("<BBHHH")


class Setup(NamedTuple):
    """The eight bytes that open a control transfer."""

    request_type: int
    request: int
    value: int
    index: int  # type: ignore[assignment]  # the specification's name hides tuple.index
    length: int

    @classmethod
    def unpack(cls, raw: bytes) -> Setup:
        """Read a setup packet of eight bytes."""
        return cls(*_SETUP.unpack(raw))

    def pack(self) -> bytes:
        """The eight bytes."""
        return _SETUP.pack(*self)

    @property
    def device_to_host(self) -> bool:
        """Whether the data stage, if there is one, goes to the host."""
        return bool(self.request_type & 0x80)

    @property
    def kind(self) -> int:
        """STANDARD, CLASS or vendor, with the direction and the recipient taken away."""
        return self.request_type & 0x60

    @property
    def recipient(self) -> int:
        """DEVICE, INTERFACE, ENDPOINT or other."""
        return self.request_type & 0x1F


def string_descriptor(text: str) -> bytes:
    """A string descriptor as it stands on the wire."""
    raw = text.encode("utf-16-le")
    return bytes([2 + len(raw), DESCRIPTOR_STRING]) + raw


def parse_string(raw: bytes) -> str | None:
    """The text of a string descriptor without the NULs it was filled up with; None for what is none.

    Devices err: the length may say more than came, an odd byte is dropped, and what is no UTF-16 becomes U+FFFD.
    """
    if len(raw) < 2 or raw[1] != DESCRIPTOR_STRING:
        return None
    content = raw[2 : raw[0]]
    return content[: len(content) & ~1].decode("utf-16-le", "replace").rstrip("\0")
