"""What is written to bring an ESP32 back: second stage, partition table, blank otadata, and an application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.families.esp32.firmware.bootloader import flash_size_of, for_flash
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.otadata import SECTOR
from rig.families.esp32.formats.partition_table import DATA, NVS, TABLE_OFFSET, PartitionTable, TableRefused
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.firmware.manifest import Image

if TYPE_CHECKING:
    from rig.families.esp32.drivers.loader import RomLoader


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A whole set of flash contents; `factory` goes where the table has such a partition."""

    bootloader: bytes
    table: PartitionTable
    application: bytes
    factory: bytes | None = None

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """Address and bytes of each part. The application comes last: it is what makes the set bootable."""
        yield BOOTLOADER_OFFSET, self.bootloader
        yield TABLE_OFFSET, self.table.pack()
        where, slot = self.table.otadata, self.table.slot(0)
        assert where is not None, "a golden set has otadata"
        assert slot is not None, "a golden set has slots"
        yield where.offset, b"\xff" * otadata.SIZE
        if self.factory is not None and self.table.factory is not None:
            yield self.table.factory.offset, self.factory
        yield slot.offset, self.application

    def refuse_less_flash(self, has: int | None, *, board: str) -> None:
        """Raises Misuse for a chip with fewer bytes of flash than the second stage is for; None: nobody knows."""
        if has is not None and has < (wants := flash_size_of(self.bootloader)):
            text = f"its chip has {has >> 20} MB of flash, and the second stage is for {wants >> 20} MB"
            raise Misuse(text, board=board, hint="a bootloader and a table for this board in the manifest")

    def settings(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each partition that an application keeps its memories in (NVS)."""
        for row in self.table.rows:
            if (row.type, row.subtype) == (DATA, NVS):
                yield row.offset, row.size

    def empty_slots(self) -> Iterator[int]:
        """Offsets of the slots that hold nothing: what is in them starts when the application is damaged."""
        for number in range(1, self.table.slots):
            slot = self.table.slot(number)
            assert slot is not None, "slots are numbered without gaps"
            yield slot.offset


def write_set(rom: RomLoader, golden: GoldenSet) -> None:
    """Write a whole set: what is left of a board's past first, and what makes it bootable last. Raises DeviceFault."""
    for address in golden.empty_slots():
        rom.erase(address, SECTOR)
    for address, length in golden.settings():
        rom.erase(address, length)
    for address, data in golden.parts():
        rom.write(address, data)


def golden_set(roles: Mapping[str, Image], flash_size: int | None = None) -> GoldenSet:
    """What the roles make of a board: second stage, table, and the old image where the table begins to boot.

    With `flash_size` in bytes the second stage is made for so much flash, as esptool does when it writes one. Raises
    Misuse for a table that needs more than the second stage is for.
    """
    bootloader, table = roles["bootloader"], roles["table"]
    data = bootloader.data if flash_size is None else for_flash(bootloader.data, flash_size)
    size = flash_size_of(data)
    try:
        rows = PartitionTable.parse(table.data, size)
    except TableRefused as error:
        raise Misuse(
            f"{table.name} needs more than the {size >> 20} MB of flash that {bootloader.name} is for: {error}",
            hint="another table, or more flash",
        ) from None
    return GoldenSet(data, rows, roles["old"].data, roles["old"].data)
