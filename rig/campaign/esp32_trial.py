"""What one may try on an ESP32 and cut: flashing over the serial port, and an update that it fetches over HTTPS."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rig.boards.board import Contents
from rig.boards.esp32 import Esp32
from rig.clock import look_for
from rig.drivers.dfu_host import Watcher
from rig.drivers.rom_loader import RomLoader
from rig.errors import LabFault
from rig.firmware.manifest import Image
from rig.formats import otadata
from rig.formats.partition_table import PartitionTable
from rig.power.esp32_landing import Download, SerialWrite
from rig.power.landing import Landing
from rig.power.trigger import Aim
from rig.recovery.esp32_rescue import golden_set


class Erases(enum.Enum):
    """When sectors are erased: all before the first byte, or each just before it is written."""

    ALL_FIRST = "all-first"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True)
class SerialFlash:
    """Write one part of the golden set, or an application, at `address` over the serial port, cut at `aim`."""

    path: ClassVar[str] = "serial"
    order: ClassVar = Erases.ALL_FIRST
    target: Image
    address: int
    aim: Aim
    roles: Mapping[str, Image] = field(default_factory=dict)

    @property
    def shown_by(self) -> tuple[tuple[int, int], ...]:
        """What is written."""
        return ((self.address, len(self.target)),)

    def prepare(self, board: Esp32) -> None:
        """Nothing."""

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Write and read back. Raises LabFault when the supply is gone."""

        def work(rom: RomLoader) -> None:
            rom.write(self.address, self.target.data)

        board.until_cut(work, watch)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By what was to be written."""
        return SerialWrite(self.address, before[self.address], self.target.data).locate(after[self.address])


@dataclass(frozen=True)
class HttpsUpdate:
    """An update that the board fetches: offered while it starts, cut at `aim`: request, download, sent or a token."""

    path: ClassVar[str] = "https"
    order: ClassVar = Erases.SEQUENTIAL
    target: Image
    aim: Aim
    table: PartitionTable
    #: Slot the update goes into.
    slot: int = 1

    @property
    def shown_by(self) -> tuple[tuple[int, int], ...]:
        """otadata, and the slot as far as the image goes."""
        where, slot = self.table.otadata, self.table.slot(self.slot)
        assert where is not None, "an update needs otadata"
        assert slot is not None, "an update needs its slot"
        length = -(-len(self.target) // otadata.SECTOR) * otadata.SECTOR
        return ((where.offset, otadata.SIZE), (slot.offset, length))

    @property
    def roles(self) -> Mapping[str, Image]:
        """What is offered is the new image."""
        return {"new": self.target}

    @classmethod
    def to(cls, target: Image, aim: Aim, roles: Mapping[str, Image]) -> HttpsUpdate:
        """An update of a board in the known state that these roles make."""
        return cls(target, aim, golden_set(roles).table)

    def prepare(self, board: Esp32) -> None:
        """Erase the slot, so that what is written shows."""
        (_, (address, length)) = self.shown_by
        with board.loader() as rom:
            if rom.read(address, length) != b"\xff" * length:
                rom.erase(address, length)

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Offer, start, and wait until the new image runs or the supply is gone. Raises LabFault."""
        assert board.updates is not None, "a board without an update server is not asked to update"
        with board.updates.offered(self.target), board.updates.watched(watch), board.console_watched(watch):
            board.start(watch)
            wanted = self.target.version
            look_for(
                lambda: not board.relay.get() or board.version() == wanted,
                seconds=board.timing.update,
                clock=board.clock,
            )
            board.clock.sleep(board.timing.settles)
        if not board.relay.get():
            raise LabFault("the supply is gone", board=board.name)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By otadata and the slot."""
        (where, _), (slot, _) = self.shown_by
        return Download(before[where], before[slot], self.target.data, where, slot).locate(after[where], after[slot])
