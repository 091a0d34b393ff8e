"""The chips an ESP image may be for: their ids, revisions and memory maps, as far as loading an image asks for them.

Addresses are those of the chips' technical reference manuals and of soc.h.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Segments for lower addresses are padding: read and checked, never loaded.
FIRST_LOADABLE = 0x1000_0000

#: A half-open stretch of addresses.
Range = tuple[int, int]
Ranges = tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Ram:
    """Memories that may be loaded, and what of them a second stage has for itself while it loads."""

    dram: Range
    iram: Range
    rtc: Ranges
    #: One memory by both names: as DRAM, and as IRAM; `inverted` where their words lie in opposite orders.
    dram_alias: Range
    iram_alias: Range
    inverted: bool
    #: From 32 KiB below the stack pointer up to where the ROM's stack starts.
    stack: Range
    data: Range
    loader: Range


@dataclass(frozen=True, slots=True)
class Chip:
    """What an image is checked against: chip id, revisions as major*100+minor, and the memory map."""

    name: str
    chip_id: int
    revision: int
    #: Flash is mapped here, 64 KiB page on 64 KiB page: code, and data.
    irom: Range
    drom: Range
    ram: Ram
    #: Bytes of flash that a second stage can map at once.
    mapping: int
    #: Revision of the eFuse blocks; the ESP32 has none and no image is asked for it.
    efuse_block: int | None = None
    cores: int = 1
    #: Whether header byte 14 is of the minor revision, as on later chips.
    counts_minor: bool = False

    def maps(self, address: int) -> bool:
        """Whether a segment for `address` stays in flash and is mapped."""
        return within(self.irom, address) or within(self.drom, address)

    def loads(self, address: int) -> bool:
        """Whether a segment for `address` is copied to RAM."""
        return address >= FIRST_LOADABLE and not self.maps(address)

    @property
    def plain_revision(self) -> int:
        """The revision as one number, for those who know of no other half."""
        return self.revision % 100 if self.counts_minor else self.revision // 100


#: Stack, data and code of a second stage as one of ESP-IDF 5.5.1 was seen to have them (esp_image_format.c).
ESP32 = Chip(
    name="esp32",
    chip_id=0,
    revision=0,
    irom=(0x400D_0000, 0x4040_0000),
    drom=(0x3F40_0000, 0x3F80_0000),
    ram=Ram(
        dram=(0x3FFA_E000, 0x4000_0000),
        iram=(0x4008_0000, 0x400A_A000),
        rtc=((0x400C_0000, 0x400C_2000), (0x3FF8_0000, 0x3FF8_2000), (0x5000_0000, 0x5000_2000)),
        dram_alias=(0x3FFE_0000, 0x4000_0000),
        iram_alias=(0x400A_0000, 0x400C_0000),
        inverted=True,
        stack=(0x3FFD_B800, 0x3FFE_3F20),
        data=(0x3FFF_0000, 0x3FFF_2100),
        loader=(0x4007_8000, 0x4007_C000),
    ),
    mapping=0x32_0000,
    cores=2,
)
#: The same of ESP-IDF 5.4's linker script.
ESP32_C3 = Chip(
    name="esp32c3",
    chip_id=5,
    revision=3,
    irom=(0x4200_0000, 0x4280_0000),
    drom=(0x3C00_0000, 0x3C80_0000),
    ram=Ram(
        dram=(0x3FC8_0000, 0x3FCE_0000),
        iram=(0x4037_C000, 0x403E_0000),
        rtc=((0x5000_0000, 0x5000_2000),),
        dram_alias=(0x3FC8_0000, 0x3FCE_0000),
        iram_alias=(0x4038_0000, 0x403E_0000),
        inverted=False,
        stack=(0x3FCD_6000, 0x3FCD_E710),
        data=(0x3FCD_5710, 0x3FCD_7710),
        loader=(0x403C_E710, 0x403D_1710),
    ),
    mapping=0x80_0000,
    efuse_block=0,
    counts_minor=True,
)


def revision_name(revision: int) -> str:
    """A revision as people write it: 300 is v3.0."""
    return f"v{revision // 100}.{revision % 100}"


def within(stretch: Range, address: int) -> bool:
    """Whether `address` lies in `stretch`."""
    return stretch[0] <= address < stretch[1]
