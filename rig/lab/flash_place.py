"""Where in an ESP32's flash something may go: by what it is, and by the partition table.

Whether it can be read and written is the loader's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rig.firmware.esp_refusal import refused_by_esp32
from rig.formats import otadata
from rig.formats.esp_boot import boot
from rig.formats.esp_boot_config import BootConfig
from rig.formats.esp_second_stage import BOOTLOADER_OFFSET
from rig.formats.partition_table import (
    APP,
    DATA,
    OTADATA,
    TABLE_OFFSET,
    TABLE_SIZE,
    Partition,
    PartitionTable,
    TableRefused,
)

#: Reads so many bytes of a board's flash at an offset.
Reader = Callable[[int, int], bytes]
MAGIC = 0xE9


def would_start(read: Reader) -> tuple[Partition | None, bool]:
    """The application a second stage without rollback would start, and whether it would write before it enters it."""
    steps, writes = boot(read, BootConfig()), False
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value, writes
        writes = writes or not hasattr(step, "line")


def misplaced(read: Reader, address: int, data: bytes) -> str | None:
    """Why no ESP32 could run with `data` at `address` of the flash that `read` reads; None where one could.

    The table in `data` counts where it holds one, else the board's (reference/esp32.md §3.1).
    """
    piece = _Piece(address, data)
    said: list[str | None] = []
    if piece.covers(BOOTLOADER_OFFSET, 1):
        said.append(refused_by_esp32(piece.at(BOOTLOADER_OFFSET)))
    if piece.touches(TABLE_OFFSET, TABLE_SIZE):
        said.append(_not_a_table(piece))
    rows = _rows(read, piece)
    if rows is None and data[0] == MAGIC:
        said.append(refused_by_esp32(data))
    said += [_in_partition(piece, row) for row in rows or () if piece.touches(row.offset, row.size)]
    return next(filter(None, said), None) if said else f"the board has no partition at {address:#x}"


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is to be written, by its place in flash."""

    address: int
    data: bytes

    def covers(self, offset: int, size: int) -> bool:
        return self.address <= offset and offset + size <= self.address + len(self.data)

    def touches(self, offset: int, size: int) -> bool:
        return self.address < offset + size and offset < self.address + len(self.data)

    def at(self, offset: int, size: int | None = None) -> bytes:
        start = offset - self.address
        return self.data[start : None if size is None else start + size]


def _rows(read: Reader, piece: _Piece) -> tuple[Partition, ...] | None:
    whole = piece.covers(TABLE_OFFSET, TABLE_SIZE)
    raw = piece.at(TABLE_OFFSET, TABLE_SIZE) if whole else read(TABLE_OFFSET, TABLE_SIZE)
    try:
        return PartitionTable.parse(raw).rows
    except TableRefused:
        return None


def _not_a_table(piece: _Piece) -> str | None:
    if piece.address > TABLE_OFFSET:
        return f"{piece.address:#x} is in the middle of the partition table"
    try:
        PartitionTable.parse(piece.at(TABLE_OFFSET, TABLE_SIZE))
    except TableRefused as error:
        return f"it reaches over the partition table at {TABLE_OFFSET:#x}, and holds none: {error}"
    return None


def _in_partition(piece: _Piece, row: Partition) -> str | None:
    """Why a partition that is touched would be of no use afterwards; what plain data holds is anybody's."""
    if (row.type, row.subtype) == (DATA, OTADATA):
        records = otadata.read_records(piece.at(row.offset)) if piece.covers(row.offset, otadata.SIZE) else None
        if records is None or any(record.initial and record.seq != otadata.BLANK for record in records):
            return f"it would damage the records of the boot choice in {row.label} at {row.offset:#x}"
    if row.type != APP:
        return None
    if piece.address > row.offset:
        return f"{piece.address:#x} is in the middle of {row.label}, which begins at {row.offset:#x}"
    content = piece.at(row.offset, row.size)
    refused = refused_by_esp32(content) if content.strip(b"\xff") else None
    return f"in {row.label} it would not start: {refused}" if refused else None
