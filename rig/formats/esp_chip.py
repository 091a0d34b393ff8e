"""The chips an ESP image may be for: their ids, revisions and memory maps, as far as loading an image asks for them.

Addresses are those of the chips' technical reference manuals (reference/esp32.md §2.1).
"""

from __future__ import annotations

from dataclasses import dataclass

#: Segments for lower addresses are padding: read and checked, never loaded.
FIRST_LOADABLE = 0x1000_0000

#: Half-open stretches of addresses.
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """What an image is checked against: chip id, revisions as major*100+minor, and the memory map."""

    name: str
    chip_id: int
    revision: int
    #: Flash is mapped here, 64 KiB page on 64 KiB page.
    mapped: Ranges
    #: RAM that may be loaded: DRAM, IRAM, RTC memories.
    ram: Ranges
    #: Revision of the eFuse blocks; the ESP32 has none and no image is asked for it.
    efuse_block: int | None = None
    cores: int = 1

    def maps(self, address: int) -> bool:
        """Whether a segment for `address` stays in flash and is mapped."""
        return _within(self.mapped, address, address + 1)

    def loads(self, address: int) -> bool:
        """Whether a segment for `address` is copied to RAM."""
        return address >= FIRST_LOADABLE and not self.maps(address)

    def has_ram(self, start: int, end: int) -> bool:
        """Whether `start` up to `end` lies in one memory that may be loaded."""
        return _within(self.ram, start, end)


ESP32 = Chip(
    name="esp32",
    chip_id=0,
    revision=0,
    mapped=((0x400D_0000, 0x4040_0000), (0x3F40_0000, 0x3F80_0000)),
    ram=(
        (0x3FFA_E000, 0x4000_0000),
        (0x4008_0000, 0x400A_A000),
        (0x400C_0000, 0x400C_2000),
        (0x3FF8_0000, 0x3FF8_2000),
        (0x5000_0000, 0x5000_2000),
    ),
    cores=2,
)
ESP32_C3 = Chip(
    name="esp32c3",
    chip_id=5,
    revision=3,
    mapped=((0x4200_0000, 0x4280_0000), (0x3C00_0000, 0x3C80_0000)),
    ram=((0x3FC8_0000, 0x3FCE_0000), (0x4037_C000, 0x403E_0000), (0x5000_0000, 0x5000_2000)),
    efuse_block=0,
)


def named(revision: int) -> str:
    """A revision as people write it: 300 is v3.0."""
    return f"v{revision // 100}.{revision % 100}"


def _within(ranges: Ranges, start: int, end: int) -> bool:
    return any(low <= start and end <= high for low, high in ranges)
