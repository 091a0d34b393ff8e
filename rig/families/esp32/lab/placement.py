"""Where in an ESP32's flash something may go: by what it is, and by the partition table.

Whether it can be read and written is the loader's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rig.errors import Misuse
from rig.families.esp32.firmware.refusal import no_application, no_second_stage
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot import Hang, Say, boot
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.header import MAGIC
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.idf_client import NEEDS_ALL_FLASH
from rig.families.esp32.formats.image import SIXTEEN_MB
from rig.families.esp32.formats.partition_table import (
    APP,
    DATA,
    FLASH_SIZE,
    OTADATA,
    TABLE_OFFSET,
    TABLE_SIZE,
    Partition,
    PartitionTable,
    TableRefused,
)
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET, SecondStage

#: Reads so many bytes of a board's flash at an offset.
Reader = Callable[[int, int], bytes]
#: Lines that say that something went wrong, and not what.
_GENERAL = ("Failed to verify", "load partition table error", "is not bootable", "No bootable app")


@dataclass(frozen=True, slots=True)
class Start:
    """What a board would start, whether it would write before, and where it would start nothing, because of what."""

    partition: Partition | None
    writes: bool = False
    because: str = ""


def would_start(read: Reader, revision: int = 0, flash_size: int = SIXTEEN_MB) -> Start:
    """What the second stage in flash would start if it was built without rollback, by what its header says of flash.

    `revision` is the chip's, `flash_size` how many bytes the board has.
    """
    stage = SecondStage.read(read)
    if stage is None:
        return Start(None, because=f"there is no second stage at {BOOTLOADER_OFFSET:#x}")
    config = stage.config(BootConfig(chip=replace(ESP32, revision=revision)))
    steps, writes, complaints = boot(read, config), False, []
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            entered: Partition | None = end.value
            break
        if not isinstance(step, Say):
            writes = writes or not isinstance(step, Hang)
        elif not step.line.startswith("I "):
            complaints.append(step.line)
    if entered is not None and stage.flash.size > flash_size and _needs_all_flash(read, entered):
        return Start(None, writes, _too_large(stage, flash_size))
    if entered is not None:
        return Start(entered, writes)
    telling = [line for line in complaints if not any(word in line for word in _GENERAL)]
    because = (telling or complaints or ["it restarts"])[0].removeprefix("E ")
    if "exceeds flash chip size" in because:
        because += f": its second stage is built for {stage.flash.size >> 20} MB of flash"
    return Start(None, writes, because)


def _needs_all_flash(read: Reader, partition: Partition) -> bool:
    """Whether an application aborts on less flash than the second stage's header says; one is taken to, if in doubt."""
    found = esp_image.read_description(read, partition.offset)
    try:
        return found is None or Idf.parse(found.idf).does(NEEDS_ALL_FLASH)
    except Misuse:
        return True


def _too_large(stage: SecondStage, flash_size: int) -> str:
    built, has = stage.flash.size >> 20, flash_size >> 20
    return f"its second stage is built for {built} MB of flash, and it has {has} MB of flash: what starts aborts"


def misplaced(read: Reader, address: int, data: bytes, flash_size: int = FLASH_SIZE) -> str | None:
    """Why no ESP32 could run with `data` at `address` of the flash that `read` reads; None where one could.

    The table in `data` counts where it holds one, else the board's, and so does the second stage
    (ESP-IDF's flash_partitions.c). `flash_size` is how much the board has.
    """
    piece = _Piece(address, data)
    said: list[str | None] = []
    if piece.covers(BOOTLOADER_OFFSET, 1):
        said.append(no_second_stage(piece.at(BOOTLOADER_OFFSET, TABLE_OFFSET - BOOTLOADER_OFFSET)))
    if piece.touches(TABLE_OFFSET, TABLE_SIZE):
        said.append(_not_a_table(piece))
    rows = _rows(read, piece)
    if rows is None and data[0] == MAGIC and address != BOOTLOADER_OFFSET:
        said.append(no_application(data))
    said += [_in_partition(piece, row) for row in rows or () if piece.touches(row.offset, row.size)]
    if said and not any(said):
        said.append(_too_little_flash(read, piece, rows or (), flash_size))
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

    def over(self, read: Reader) -> Reader:
        """Flash as it is once this is written."""

        def reader(offset: int, length: int) -> bytes:
            under = bytearray(read(offset, length).ljust(length, b"\xff"))
            first, last = max(offset, self.address), min(offset + length, self.address + len(self.data))
            if first < last:
                under[first - offset : last - offset] = self.at(first, last - first)
            return bytes(under)

        return reader

    def at(self, offset: int, size: int | None = None) -> bytes:
        start = offset - self.address
        return self.data[start : None if size is None else start + size]


def _rows(read: Reader, piece: _Piece) -> tuple[Partition, ...] | None:
    whole = piece.covers(TABLE_OFFSET, TABLE_SIZE)
    raw = piece.at(TABLE_OFFSET, TABLE_SIZE) if whole else read(TABLE_OFFSET, TABLE_SIZE)
    try:
        return PartitionTable.parse(raw, SIXTEEN_MB).rows
    except TableRefused:
        return None


def _not_a_table(piece: _Piece) -> str | None:
    if piece.address > TABLE_OFFSET:
        return f"{piece.address:#x} is in the middle of the partition table"
    try:
        PartitionTable.parse(piece.at(TABLE_OFFSET, TABLE_SIZE), SIXTEEN_MB)
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
    refused = no_application(content) if content.strip(b"\xff") else None
    return f"in {row.label} it would not start: {refused}" if refused else None


def _too_little_flash(read: Reader, piece: _Piece, rows: tuple[Partition, ...], flash_size: int) -> str | None:
    """Why a board would restart for ever: a partition that ends beyond its flash, or beyond what its header says.

    Or a header that says more flash than there is.
    """
    stage = SecondStage.read(piece.over(read))
    brings_stage = piece.touches(BOOTLOADER_OFFSET, 1)
    if brings_stage and stage is not None and stage.flash.size > flash_size:
        return _too_large(stage, flash_size)
    if not rows or not (brings_stage or piece.touches(TABLE_OFFSET, TABLE_SIZE)):
        return None
    last = max(rows, key=lambda row: row.offset + row.size)
    end = last.offset + last.size
    if stage is not None and end > stage.flash.size:
        built = f"its second stage is built for {stage.flash.size >> 20} MB of flash"
    elif end > flash_size:
        built = f"it has {flash_size >> 20} MB of flash"
    else:
        return None
    return f"{built}, and {last.label} ends at {end:#x}: it would restart for ever"
