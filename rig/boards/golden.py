"""What is written to bring an ESP32 back: second stage, partition table, blank otadata, and an application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rig.firmware.manifest import Image
from rig.formats import otadata
from rig.formats.partition_table import DATA, NVS, TABLE_OFFSET, PartitionTable

BOOTLOADER_OFFSET = 0x1000


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


def golden_set(roles: Mapping[str, Image]) -> GoldenSet:
    """What the roles make of a board: second stage, table, and the old image where the table begins to boot."""
    table = PartitionTable.parse(roles["table"].data)
    return GoldenSet(roles["bootloader"].data, table, roles["old"].data, roles["old"].data)
