"""The partition table of an ESP32 at 0x8000: rows, the MD5 row that guards them, and the usual layouts by name.

What a bootloader makes of the partitions is in esp_boot (ESP-IDF's flash_partitions.c).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache

from rig.families.esp32.formats.idf import BLANK_TABLE_IS_WRONG, SIZES_MAY_NOT_WRAP, Idf

TABLE_OFFSET = 0x8000
TABLE_SIZE = 0xC00
FLASH_SIZE = 0x40_0000
_USUAL = Idf(5, 4, 2)

APP, DATA, BOOTLOADER, TABLE = 0, 1, 2, 3
FACTORY, OTA_0, TEST = 0x00, 0x10, 0x20
PRIMARY, RECOVERY = 0x00, 0x02
OTADATA, PHY, NVS, COREDUMP, NVS_KEYS, EFUSE = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05

_ROW = struct.Struct("<HBBII16sI")
ROW_SIZE = _ROW.size
_MAGIC, _MD5_MAGIC, _BLANK = 0x50AA, 0xEBEB, 0xFFFF
_MD5_HEAD = b"\xeb\xeb" + b"\xff" * 14

_APP_USAGES = {FACTORY: "factory app", TEST: "test app"}
_DATA_USAGES = {OTADATA: "OTA data", PHY: "RF data", NVS: "WiFi data", NVS_KEYS: "NVS keys", EFUSE: "efuse"}

_BOOTLOADER_USAGES = {PRIMARY: "primary bootloader", 0x01: "ota bootloader", RECOVERY: "recovery bootloader"}
_TABLE_USAGES = {PRIMARY: "primary partition_table", 0x01: "ota partition_table"}
_USAGES = {BOOTLOADER: _BOOTLOADER_USAGES, TABLE: _TABLE_USAGES}


class TableRefused(Exception):
    """The table is not one a bootloader takes; the text is what it says on the console."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One row: a stretch of flash, offset and size in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @classmethod
    def unpack(cls, raw: bytes) -> Partition:
        """Read a row's 32 bytes, whatever they say."""
        _magic, kind, subtype, offset, size, label, flags = _ROW.unpack(raw)
        return cls(label.split(b"\0", 1)[0].decode("latin-1"), kind, subtype, offset, size, flags)

    def pack(self) -> bytes:
        """The row's 32 bytes."""
        label = self.label.encode("latin-1")
        return _ROW.pack(_MAGIC, self.type, self.subtype, self.offset, self.size, label, self.flags)

    @property
    def slot(self) -> int | None:
        """Number of an OTA slot; None for every other partition."""
        return self.subtype - OTA_0 if self.type == APP and OTA_0 <= self.subtype < TEST else None

    @property
    def usage(self) -> str:
        """What it is for, in the bootloader's words."""
        if self.type == APP:
            return "OTA app" if self.slot is not None else _APP_USAGES.get(self.subtype, "Unknown app")
        if self.type == DATA:
            return _DATA_USAGES.get(self.subtype, "Unknown data")
        return _USAGES.get(self.type, {}).get(self.subtype, "unknown")


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """Rows in the order they are written."""

    rows: tuple[Partition, ...]

    @classmethod
    def parse(cls, raw: bytes, flash_size: int = FLASH_SIZE, release: Idf = _USUAL) -> PartitionTable:
        """Read the 0xC00 bytes at 0x8000 as a second stage does that goes by `flash_size`. Raises TableRefused."""
        return cls(_rows(bytes(raw[:TABLE_SIZE]), flash_size, release))

    def pack(self) -> bytes:
        """All 0xC00 bytes, with the MD5 row."""
        rows = b"".join(row.pack() for row in self.rows)
        return (rows + _MD5_HEAD + hashlib.md5(rows).digest()).ljust(TABLE_SIZE, b"\xff")

    @property
    def otadata(self) -> Partition | None:
        """Where the records of the boot choice are kept."""
        return self._last(DATA, OTADATA)

    @property
    def factory(self) -> Partition | None:
        """The application no update replaces."""
        return self._last(APP, FACTORY)

    @property
    def test(self) -> Partition | None:
        """The test application."""
        return self._last(APP, TEST)

    @property
    def slots(self) -> int:
        """How many rows are OTA slots."""
        return sum(row.slot is not None for row in self.rows)

    def slot(self, number: int) -> Partition | None:
        """OTA slot `number`; one numbered beyond the count of slots is never looked at."""
        return self._last(APP, OTA_0 + number) if 0 <= number < self.slots else None

    def labelled(self, label: str) -> Partition | None:
        """The first partition of that name."""
        return next((row for row in self.rows if row.label == label), None)

    def _last(self, kind: int, subtype: int) -> Partition | None:
        found = [row for row in self.rows if (row.type, row.subtype) == (kind, subtype)]
        return found[-1] if found and found[-1].offset else None


@lru_cache(maxsize=64)
def _rows(raw: bytes, flash_size: int, release: Idf) -> tuple[Partition, ...]:
    """Kept: most starts find the table that the start before them found."""
    guarded = False
    for number in range(len(raw) // ROW_SIZE):
        row = raw[number * ROW_SIZE : (number + 1) * ROW_SIZE]
        magic = int.from_bytes(row[:2], "little")
        if magic == _MAGIC:
            _check_room(number, Partition.unpack(row), flash_size, release)
        elif magic == _MD5_MAGIC:
            _check_md5(raw[: number * ROW_SIZE], row, guarded)
            guarded = True
        elif magic == _BLANK and row[2:4] == b"\xff\xff" and (number or not release.does(BLANK_TABLE_IS_WRONG)):
            # The MD5 row is not counted, wherever it stands: a row behind it would drop off the end.
            count = number - guarded
            return tuple(Partition.unpack(raw[at * ROW_SIZE :][:ROW_SIZE]) for at in range(count))
        else:
            raise TableRefused(f"partition {number} invalid magic number 0x{magic:x}")
    raise TableRefused("partition table has no terminating entry, not valid")


def _check_room(number: int, row: Partition, flash_size: int, release: Idf) -> None:
    end = row.offset + row.size
    if not release.does(SIZES_MAY_NOT_WRAP):
        end &= 0xFFFF_FFFF
    if row.offset > flash_size or end > flash_size:
        stretch = f"offset 0x{row.offset:x} size 0x{row.size:x}"
        raise TableRefused(f"partition {number} invalid - {stretch} exceeds flash chip size 0x{flash_size:x}")


def _check_md5(rows: bytes, row: bytes, guarded: bool) -> None:
    if guarded:
        raise TableRefused("Only one MD5 checksum is allowed")
    if hashlib.md5(rows).digest() != row[16:]:
        raise TableRefused("Incorrect MD5 checksum")


def _layout(*rows: tuple[str, int, int, int, int]) -> PartitionTable:
    return PartitionTable(tuple(Partition(*row) for row in rows))


#: ESP-IDF's two layouts for updates over the air, such for 2, 8 and 16 MB of flash, and Arduino's own for 4.
LAYOUTS = {
    "two_ota": _layout(
        ("nvs", DATA, NVS, 0x9000, 0x4000),
        ("otadata", DATA, OTADATA, 0xD000, 0x2000),
        ("phy_init", DATA, PHY, 0xF000, 0x1000),
        ("factory", APP, FACTORY, 0x1_0000, 0x10_0000),
        ("ota_0", APP, OTA_0, 0x11_0000, 0x10_0000),
        ("ota_1", APP, OTA_0 + 1, 0x21_0000, 0x10_0000),
    ),
    "two_ota_large": _layout(
        ("nvs", DATA, NVS, 0x9000, 0x6000),
        ("otadata", DATA, OTADATA, 0xF000, 0x2000),
        ("phy_init", DATA, PHY, 0x1_1000, 0x1000),
        ("ota_0", APP, OTA_0, 0x2_0000, 1700 * 1024),
        ("ota_1", APP, OTA_0 + 1, 0x1D_0000, 1700 * 1024),
    ),
    "two_ota_2mb": _layout(
        ("nvs", DATA, NVS, 0x9000, 0x4000),
        ("otadata", DATA, OTADATA, 0xD000, 0x2000),
        ("phy_init", DATA, PHY, 0xF000, 0x1000),
        ("ota_0", APP, OTA_0, 0x1_0000, 0xF_0000),
        ("ota_1", APP, OTA_0 + 1, 0x10_0000, 0xF_0000),
    ),
    "two_ota_8mb": _layout(
        ("nvs", DATA, NVS, 0x9000, 0x5000),
        ("otadata", DATA, OTADATA, 0xE000, 0x2000),
        ("ota_0", APP, OTA_0, 0x1_0000, 0x33_0000),
        ("ota_1", APP, OTA_0 + 1, 0x34_0000, 0x33_0000),
        ("spiffs", DATA, 0x82, 0x67_0000, 0x18_0000),
        ("coredump", DATA, COREDUMP, 0x7F_0000, 0x1_0000),
    ),
    "two_ota_16mb": _layout(
        ("nvs", DATA, NVS, 0x9000, 0x5000),
        ("otadata", DATA, OTADATA, 0xE000, 0x2000),
        ("ota_0", APP, OTA_0, 0x1_0000, 0x64_0000),
        ("ota_1", APP, OTA_0 + 1, 0x65_0000, 0x64_0000),
        ("spiffs", DATA, 0x82, 0xC9_0000, 0x36_0000),
        ("coredump", DATA, COREDUMP, 0xFF_0000, 0x1_0000),
    ),
    "arduino": _layout(
        ("nvs", DATA, NVS, 0x9000, 0x5000),
        ("otadata", DATA, OTADATA, 0xE000, 0x2000),
        ("app0", APP, OTA_0, 0x1_0000, 0x14_0000),
        ("app1", APP, OTA_0 + 1, 0x15_0000, 0x14_0000),
    ),
}
