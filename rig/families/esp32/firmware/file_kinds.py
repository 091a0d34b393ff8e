"""What a file is that goes into an ESP32's flash, or that its builds leave beside one: by its contents."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from rig.families.esp32.formats import kinds as esp_kinds
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.image import SIXTEEN_MB
from rig.families.esp32.formats.partition_table import ROW_SIZE, TABLE_OFFSET, TABLE_SIZE, PartitionTable, TableRefused
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.firmware.file_kinds import FileKind, is_text

APPLICATION = FileKind("an application", "it belongs in an app partition")
_FLASH_PLACES = "write it to its own partition with --address"


def kind_of(data: bytes) -> FileKind | None:
    """What `data`, which is not empty, is; None for what nobody knows by its chip."""
    for find in (_whole_flash, _image, _elf, _table, _records, _file_system, _table_as_text):
        if (found := find(data)) is not None:
            return found
    return None


def _whole_flash(data: bytes) -> FileKind | None:
    """Several parts in one file, with a partition table where one lies when the file begins at some offset."""
    for base in (0, BOOTLOADER_OFFSET):
        table = data[TABLE_OFFSET - base :][:TABLE_SIZE]
        head = data[BOOTLOADER_OFFSET - base :] if base or not esp_kinds.is_image(data) else data
        if _is_table(table) and (esp_kinds.is_image(head) or not data[: TABLE_OFFSET - base].strip(b"\xff")):
            what = "a merged image of second stage, partition table and what follows"
            return FileKind(what, f"it belongs at {base:#x}", base)
    return None


def _image(data: bytes) -> FileKind | None:
    if not esp_kinds.is_image(data):
        return None
    chip = esp_kinds.chip_of(data)
    if esp_kinds.is_second_stage(data):
        if chip != "ESP32":
            return FileKind(f"a second stage for {_one(chip)}", "another board's", nowhere=True)
        return FileKind("a second stage", f"it belongs at {BOOTLOADER_OFFSET:#x}", BOOTLOADER_OFFSET)
    if chip == "ESP32":
        return APPLICATION
    return FileKind(f"an application for {_one(chip)}", "another board's", nowhere=True)


def _one(chip: str) -> str:
    return f"an {chip}" if chip.startswith("ESP") else chip


def _elf(data: bytes) -> FileKind | None:
    if not data.startswith(b"\x7fELF"):
        return None
    return FileKind("an ELF file", "esptool elf2image makes an image of it", nowhere=True)


def _table(data: bytes) -> FileKind | None:
    if not is_table_file(data):
        return None
    return FileKind("a partition table", f"it belongs at {TABLE_OFFSET:#x}", TABLE_OFFSET)


def is_table_file(data: bytes) -> bool:
    """Whether a file is a partition table and nothing else."""
    return _is_table(data[:TABLE_SIZE].ljust(TABLE_SIZE, b"\xff"))


def _is_table(raw: bytes) -> bool:
    """Whether a bootloader would take it, on however much flash; an erased one is none."""
    if raw[:2] != b"\xaa\x50" or len(raw) < 2 * ROW_SIZE:
        return False
    try:
        return bool(PartitionTable.parse(raw, SIXTEEN_MB).rows)
    except TableRefused:
        return False


def _records(data: bytes) -> FileKind | None:
    """Two sectors that hold nothing but a record at their beginnings."""
    if len(data) != otadata.SIZE:
        return None
    rest = data[otadata.RECORD_SIZE : otadata.SECTOR] + data[otadata.SECTOR + otadata.RECORD_SIZE :]
    if rest.strip(b"\xff") or all(record.initial for record in otadata.read_records(data)):
        return None
    return FileKind("the records of a boot choice (otadata)", _FLASH_PLACES)


def _file_system(data: bytes) -> FileKind | None:
    known: dict[str, Callable[[bytes], bool]] = {
        "an NVS partition": _is_nvs,
        "a SPIFFS image": _is_spiffs,
        "a LittleFS image": lambda data: b"littlefs" in (data[8:16], data[0x1008:0x1010]),
        "a FAT image": lambda data: data[510:512] == b"\x55\xaa" and b"FAT" in (data[0x36:0x39], data[0x52:0x55]),
    }
    return next((FileKind(what, _FLASH_PLACES) for what, find in known.items() if find(data)), None)


_PAGE_STATES = (0xFFFF_FFFE, 0xFFFF_FFFC, 0xFFFF_FFF8, 0xFFFF_FFF0, 0)


def _is_nvs(data: bytes) -> bool:
    """A page that begins with a state and a header whose CRC is right (nvs_page.hpp)."""
    head = data[:32]
    if len(data) < 0x1000 or int.from_bytes(head[:4], "little") not in _PAGE_STATES:
        return False
    return zlib.crc32(head[4:28], 0xFFFF_FFFF) == int.from_bytes(head[28:], "little")


def _is_spiffs(data: bytes) -> bool:
    """The magic of its first two blocks, for some size of pages and blocks (spiffs_nucleus.h)."""
    return any(
        len(data) % block == 0 and len(data) >= 2 * block and all(_magic(data, page, block, at) for at in (0, 1))
        for page in (256, 512, 1024)
        for block in (0x1000, 0x2000, 0x4000, 0x8000, 0x1_0000)
    )


def _magic(data: bytes, page: int, block: int, number: int) -> bool:
    """Whether a block's lookup page ends with its magic: with the count of blocks in it, or without."""
    lookups = -(-2 * (block // page) // page) * page
    at = number * block + lookups - 4
    found, plain = int.from_bytes(data[at : at + 2], "little"), (0x0529 ^ page) & 0xFFFF
    return found in (plain, plain ^ (len(data) // block - number) & 0xFFFF)


def _table_as_text(data: bytes) -> FileKind | None:
    if not is_text(data) or not re.search(rb"^\s*\w+\s*,\s*(app|data)\s*,", data[:4096], re.MULTILINE):
        return None
    return FileKind("a partition table as CSV", "gen_esp32part.py makes the table of it", nowhere=True)
