"""The 16 bytes a DFU file may end with: for which device it is, and a CRC over the file (DFU 1.1, appendix B)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from rig.errors import Misuse

_FORMAT = struct.Struct("<HHHH3sBI")
SIZE = _FORMAT.size
ANY = 0xFFFF
_SIGNATURE = b"UFD"


@dataclass(frozen=True, slots=True)
class DfuSuffix:
    """Whom a file is for; `ANY` in a field means that it does not matter."""

    vendor: int
    product: int
    device: int = ANY
    dfu: int = 0x011A

    def fits(self, vendor: int, product: int) -> bool:
        """Whether the file is for this device."""
        return self.vendor in (ANY, vendor) and self.product in (ANY, product)


def split_suffix(content: bytes, name: str) -> tuple[bytes, DfuSuffix | None]:
    """What is to be written, and the suffix when the file has one. Raises Misuse for one that is damaged."""
    if len(content) < SIZE:
        return content, None
    device, product, vendor, dfu, signature, length, crc = _FORMAT.unpack(content[-SIZE:])
    if signature != _SIGNATURE:
        return content, None
    if not SIZE <= length <= len(content):
        raise Misuse(f"{name}: its DFU suffix says it is {length} bytes long", hint="the file is damaged")
    if crc != _crc(content[:-4]):
        raise Misuse(f"{name}: the CRC in its DFU suffix is wrong", hint="the file is damaged or cut short")
    return content[:-length], DfuSuffix(vendor, product, device, dfu)


def add_suffix(content: bytes, suffix: DfuSuffix) -> bytes:
    """`content` with a suffix, as dfu-suffix makes it."""
    head = _FORMAT.pack(suffix.device, suffix.product, suffix.vendor, suffix.dfu, _SIGNATURE, SIZE, 0)[:-4]
    return content + head + struct.pack("<I", _crc(content + head))


def _crc(content: bytes) -> int:
    """CRC-32 without the final inversion."""
    return zlib.crc32(content) ^ 0xFFFF_FFFF
