"""ESP32 images, byte by byte: any header and any segments, with sums that are right; and flash to start them from."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

from rig.families.esp32.formats.boot import BootResult, boot_once
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.partition_table import LAYOUTS, TABLE_OFFSET, PartitionTable

DROM, IROM, DRAM, IRAM = 0x3F40_0000, 0x400D_0000, 0x3FFB_0000, 0x4008_0000
SMALL = ((DROM, bytes(256)), (DRAM, b"data" * 4), (IRAM, b"code" * 4), (IROM, b"text" * 4))
TABLE = LAYOUTS["arduino"]
SLOT = 0x1_0000


def raw_image(
    *segments: tuple[int, bytes],
    chip: int = 0,
    major: int = 0,
    low: int = 0,
    high: int = 0xFFFF,
    count: int | None = None,
    mode: int = 2,
    speed_size: int = 0x20,
    magic: int = 0xE9,
) -> bytes:
    """An image; addresses of mapped segments are moved to where they match their offsets."""
    parts = segments or SMALL
    number = len(parts) if count is None else count
    image = struct.pack("<BBBBI4xHBHH4xB", magic, number, mode, speed_size, IRAM, chip, major, low, high, 1)
    folded = 0xEF
    for address, data in parts:
        mapped = 0x3F40_0000 <= address < 0x3F80_0000 or 0x400D_0000 <= address < 0x4040_0000
        start = address + (len(image) + 8) % 0x1_0000 if mapped else address
        image += struct.pack("<II", start, len(data)) + data
        for byte in data:
            folded ^= byte
    image += bytes(15 - len(image) % 16) + bytes([folded])
    return image + hashlib.sha256(image).digest()


def with_segment(address: int, length: int = 16) -> bytes:
    """An application with one more segment for RAM."""
    return raw_image(*SMALL, (address, bytes(length)))


def flash_of(image: bytes = b"", table: PartitionTable | bytes = TABLE, size: int = 4 << 20) -> bytearray:
    """Flash with a table and an image in the first slot of Arduino's layout."""
    flash = bytearray(b"\xff" * size)
    raw = table if isinstance(table, bytes) else table.pack()
    flash[TABLE_OFFSET : TABLE_OFFSET + len(raw)] = raw
    flash[SLOT : SLOT + len(image)] = image
    return flash


def build_of(release: str, **options: object) -> BootConfig:
    """A second stage of a release, on a chip of revision v3.0."""
    return replace(BootConfig(chip=replace(ESP32, revision=300)), release=Idf.parse(release), **options)


def started(release: str, flash: bytearray, **options: object) -> BootResult:
    """One start by a second stage of a release."""
    return boot_once(flash, build_of(release, **options))
