"""An ESP32's memory beside its flash, as a loader reads and writes it word by word: RAM, the mask ROM, registers.

What was written is read back until EN or the supply falls. What never was is noise in RAM and in the ROM (no byte of
the genuine one is here), the same for ever, and 0 in a register.

Facts: the technical reference manual's address mapping; esptool's MEMORY_MAP; soc.h of ESP-IDF for the mirrored part.
"""

from __future__ import annotations

import zlib

Range = tuple[int, int]

#: Data, instructions (the first 64 KiB are the caches'), the RTC's fast memory and its slow one.
RAM: tuple[Range, ...] = (
    (0x3FF80000, 0x3FF82000),
    (0x3FFAE000, 0x40000000),
    (0x40070000, 0x400C2000),
    (0x50000000, 0x50002000),
)
ROM: tuple[Range, ...] = ((0x3FF90000, 0x3FFA0000), (0x40000000, 0x40070000))
#: RAM that instructions are fetched from.
_CODE: tuple[Range, ...] = ((0x40070000, 0x400C2000), (0x50000000, 0x50002000))
PERIPHERALS: tuple[Range, ...] = ((0x3FF00000, 0x3FF80000),)
#: The upper half of the data RAM is at instruction addresses too, last word first.
_MIRROR, _MIRROR_BUS = (0x3FFE0000, 0x40000000), 0x400A0000
#: The RTC's fast memory is at both kinds of addresses, in the same order.
_RTC_FAST, _RTC_FAST_BUS = (0x3FF80000, 0x3FF82000), 0x400C0000


class Ram:
    """Words by address; an address within a word is the word's."""

    def __init__(self) -> None:
        self._words: dict[int, int] = {}

    def lose(self) -> None:
        """The core has no supply: nothing stays."""
        self._words.clear()

    def read(self, address: int) -> int:
        """The word at `address`; where nothing is, 0."""
        place = _place(address)
        if place not in self._words and (_lies_in(RAM, place) or _lies_in(ROM, place)):
            return zlib.crc32(place.to_bytes(4, "little"))
        return self._words.get(place, 0)

    def write(self, address: int, value: int) -> None:
        """Write the word at `address`; the ROM stays as it is, and where nothing is, nothing happens."""
        place = _place(address)
        if _lies_in(RAM, place) or _lies_in(PERIPHERALS, place):
            self._words[place] = value

    def load(self, address: int, data: bytes) -> None:
        """Write bytes; those beside them in the first and the last word stay."""
        first, end = address - address % 4, address + len(data)
        before = self.peek(first, address - first)
        after = self.peek(end, -end % 4)
        whole = before + data + after
        for at in range(0, len(whole), 4):
            self.write(first + at, int.from_bytes(whole[at : at + 4], "little"))

    def peek(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`."""
        first = address - address % 4
        words = b"".join(self.read(at).to_bytes(4, "little") for at in range(first, address + length, 4))
        return words[address - first :][:length]


def is_code(address: int) -> bool:
    """Whether a program may be there."""
    return _lies_in(_CODE, address)


def is_ram(address: int, length: int) -> bool:
    """Whether all of a stretch is RAM."""
    return any(low <= address and address + length <= high for low, high in RAM)


def _lies_in(ranges: tuple[Range, ...], address: int) -> bool:
    return any(low <= address < high for low, high in ranges)


def _place(address: int) -> int:
    """The one address of a word that has two."""
    word = address - address % 4
    if _MIRROR_BUS <= word < _MIRROR_BUS + _MIRROR[1] - _MIRROR[0]:
        return _MIRROR[1] - 4 - (word - _MIRROR_BUS)
    if _RTC_FAST_BUS <= word < _RTC_FAST_BUS + _RTC_FAST[1] - _RTC_FAST[0]:
        return word - _RTC_FAST_BUS + _RTC_FAST[0]
    return word
