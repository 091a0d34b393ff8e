"""A second stage and its partition table: how it reads and tells it, and the factory reset that goes by it."""

from __future__ import annotations

from collections.abc import Generator

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.boot_config import BootConfig, FactoryReset
from rig.families.esp32.formats.image import Reader
from rig.families.esp32.formats.otadata import SECTOR
from rig.families.esp32.formats.partition_table import (
    APP,
    BOOTLOADER,
    DATA,
    OTADATA,
    RECOVERY,
    ROW_SIZE,
    TABLE_OFFSET,
    TABLE_SIZE,
    Partition,
    PartitionTable,
    TableRefused,
)
from rig.families.esp32.formats.steps import Erase, Say, Step, Steps

_LABEL = 12
#: The table is mapped with the 64 KiB that it lies in: a label without an end is printed on and on.
_MAPPED_END = 0x1_0000


def read_table(read: Reader, config: BootConfig) -> Generator[Step, None, PartitionTable | None]:
    """Check the table and tell it; None for one that is not taken."""
    raw = read(TABLE_OFFSET, _MAPPED_END - TABLE_OFFSET)
    try:
        table = PartitionTable.parse(raw[:TABLE_SIZE], config.flash_size, config.release)
    except TableRefused as error:
        yield Say(f"E flash_parts: {error}")
        yield Say("E boot: Failed to verify partition table")
        yield Say("E boot: load partition table error!")
        return None
    yield Say("I boot: Partition Table:")
    yield Say("I boot: ## Label            Usage          Type ST Offset   Length")
    for number, row in enumerate(table.rows):
        place = f"{row.type:02x} {row.subtype:02x} {row.offset:08x} {row.size:08x}"
        yield Say(f"I boot: {number:2d} {_label(raw, number):16s} {_usage(row, config):16s} {place}")
    yield Say("I boot: End of partition table")
    return table


def _label(raw: bytes, number: int) -> str:
    """A label as it is printed: up to the first zero, and where its row has none, with what lies behind."""
    return raw[number * ROW_SIZE + _LABEL :].split(b"\0", 1)[0].decode("latin-1")


def _usage(row: Partition, config: BootConfig) -> str:
    known = row.type in (APP, DATA) or config.release.does(esp_idf.NAMES_BOOTLOADER_ROWS)
    if (row.type, row.subtype) == (BOOTLOADER, RECOVERY):
        known = config.release.does(esp_idf.NAMES_RECOVERY_ROW)
    return row.usage if known else "unknown"


def factory_reset(table: PartitionTable, reset: FactoryReset, flash_size: int) -> Steps:
    """Erase the data partitions that a factory reset is for."""
    yield Say("I boot: Detect a condition of the factory reset")
    yield Say(f"I boot: Data partitions to erase: {', '.join(reset.labels)}")
    yield Say("I boot_comm: ## Label            Usage Offset   Length   Cleaned")
    failed = False
    for number, row in enumerate(table.rows):
        if row.type != DATA:
            continue
        marker = "no"
        if row.label in reset.labels or (reset.otadata and row.subtype == OTADATA):
            marker = yield from erase_partition(row, flash_size)
        failed |= marker == "err"
        yield Say(f"I boot_comm: {number:2d} {row.label:16s} data  {row.offset:08x} {row.size:08x} [{marker}]")
    if failed:
        yield Say("E boot: Not all partitions were erased")


def erase_partition(row: Partition, flash_size: int) -> Generator[Step, None, str]:
    """Erase one, sector by sector; returns what is told of it."""
    if row.offset % SECTOR or row.size % SECTOR or row.offset + row.size > flash_size:
        return "err"
    for address in range(row.offset, row.offset + row.size, SECTOR):
        yield Erase(address)
    return "yes"
