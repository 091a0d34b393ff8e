"""What lies where in a pinboard's flash, and how an image begins."""

from __future__ import annotations

import struct
import zlib

#: The name of the one update path.
TCP = "tcp"
SECTOR = 1024
#: Where a request to copy lies, the application, and what was downloaded: addresses, and how much has room.
FLAG, APP, STAGE = 0x0000, 0x4000, 0x8000
ROOM, FLASH_SIZE = 0x4000, 0xC000
#: A request is this word and the length of what is to be copied; a word that is zero was one.
REQUEST, REQUEST_SIZE = b"COPY", 8
#: Magic, length of the whole image, CRC-32 of all behind the header, version.
_HEADER = struct.Struct("<4sII20s")
_MAGIC = b"PIN1"


def pack(version: str, code: bytes) -> bytes:
    """An image: its header, and what runs."""
    return _HEADER.pack(_MAGIC, _HEADER.size + len(code), zlib.crc32(code), version.encode()) + code


def image_in(area: bytes) -> bytes | None:
    """The whole image that an area begins with; None where there is none, or a part of it is wrong."""
    if len(area) < _HEADER.size:
        return None
    magic, length, checksum, _ = _HEADER.unpack_from(area)
    image = area[:length]
    if magic != _MAGIC or not _HEADER.size < length <= len(area) or zlib.crc32(image[_HEADER.size :]) != checksum:
        return None
    return image


def version_of(image: bytes) -> str:
    """The version that an image's header tells."""
    return bytes(_HEADER.unpack_from(image)[3]).rstrip(b"\0").decode("ascii", "replace")


def request(length: int) -> bytes:
    """What asks the bootloader to copy so many bytes."""
    return REQUEST + length.to_bytes(4, "little")


def sectors(length: int) -> int:
    """How many sectors so many bytes take."""
    return -(-length // SECTOR)
