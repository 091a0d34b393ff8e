"""What is laid into an ESP32's flash over the serial port before a trial: sectors of otadata, and what slots hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.formats.otadata import SECTOR
from rig.families.esp32.formats.partition_table import PartitionTable


@dataclass(frozen=True)
class PresetFlash:
    """Sectors of otadata and OTA slots, by number, and what each begins with; nothing (`b""`) is an erased sector.

    What is not named here stays as it is.
    """

    records: Mapping[int, bytes] = field(default_factory=dict)
    slots: Mapping[int, bytes] = field(default_factory=dict)

    def write(self, board: Esp32, table: PartitionTable) -> None:
        """Write it by `table`, the slots first. The board must be in download mode."""
        with board.loader() as rom:
            for address, data in self._parts(table):
                if data:
                    rom.write(address, data)
                else:
                    rom.erase(address, SECTOR)

    def _parts(self, table: PartitionTable) -> Iterator[tuple[int, bytes]]:
        for number, data in self.slots.items():
            slot = table.slot(number)
            assert slot is not None, "what is laid into a slot needs it"
            yield slot.offset, data
        where = table.otadata
        assert where is not None, "records need otadata"
        for number, data in self.records.items():
            yield where.offset + number * SECTOR, data


#: The known state as it is.
NOTHING = PresetFlash()
