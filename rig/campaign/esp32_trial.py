"""What one may try on an ESP32 and cut: flashing over the serial port, and an update that it fetches over HTTPS."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from rig.boards.board import Contents
from rig.boards.boot_log import TOKENS
from rig.boards.esp32 import Esp32
from rig.clock import look_for
from rig.drivers.dfu_host import Progress, Watcher
from rig.drivers.rom_loader import RomLoader
from rig.errors import DeviceFault, LabFault
from rig.firmware.manifest import Image
from rig.formats import otadata
from rig.formats.otadata import Record, State
from rig.formats.partition_table import PartitionTable
from rig.power.esp32_landing import Download, Probation, SerialWrite
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
    """An update that the board fetches: offered while it starts, and cut at `aim`.

    Phases are request, download and sent as the server tells them, and those of the console; once the new slot is
    chosen these are called new-boot, new-load, new-app, new-online.
    """

    path: ClassVar[str] = "https"
    order: ClassVar = Erases.SEQUENTIAL
    target: Image
    aim: Aim
    table: PartitionTable
    #: Slot the update goes into.
    slot: int = 1
    #: Phases that were told while it was tried.
    told: list[str] = field(default_factory=list, compare=False)

    @property
    def shown_by(self) -> tuple[tuple[int, int], ...]:
        """The slot as far as the image goes, and otadata."""
        where, slot = self.table.otadata, self.table.slot(self.slot)
        assert where is not None, "an update needs otadata"
        assert slot is not None, "an update needs its slot"
        length = -(-len(self.target) // otadata.SECTOR) * otadata.SECTOR
        return ((slot.offset, length), (where.offset, otadata.SIZE))

    @property
    def roles(self) -> Mapping[str, Image]:
        """What is offered is the new image."""
        return {"new": self.target}

    @classmethod
    def to(cls, target: Image, aim: Aim, roles: Mapping[str, Image]) -> HttpsUpdate:
        """An update of a board in the known state that these roles make."""
        return cls(target, aim, golden_set(roles).table)

    def lasts(self, board: Esp32, begins: str, ends: str) -> float:
        """Seconds from one phase to another, of an update that nobody cuts: what a delay is calibrated by.

        Raises DeviceFault when the update does not come that far.
        """
        moments: dict[str, float] = {}

        def note(progress: Progress) -> None:
            moments.setdefault(progress.phase, time.monotonic())

        self.start(board, note)
        if not {begins, ends} <= set(moments):
            raise DeviceFault(f"an update told {', '.join(moments)}, not {begins} and {ends}", board=board.name)
        return moments[ends] - moments[begins]

    def prepare(self, board: Esp32) -> None:
        """Erase the slot, so that what is written shows."""
        ((address, length), _) = self.shown_by
        with board.loader() as rom:
            if rom.read(address, length) != b"\xff" * length:
                rom.erase(address, length)

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Offer, start, and wait until the new image has settled or the supply is gone. Raises LabFault."""
        assert board.updates is not None, "a board without an update server is not asked to update"
        self.told.clear()

        def hear(progress: Progress) -> None:
            is_new = "chosen" in self.told and progress.phase in TOKENS
            phase = f"new-{progress.phase}" if is_new else progress.phase
            self.told.append(phase)
            watch(replace(progress, phase=phase))

        def over() -> bool:
            return not board.relay.get() or "new-confirmed" in self.told

        with board.updates.offered(self.target), board.updates.watched(hear), board.log.watched(hear):
            board.start()
            look_for(over, seconds=board.timing.update, clock=board.clock)
            board.clock.sleep(board.timing.silence)
        if not board.relay.get():
            raise LabFault("the supply is gone", board=board.name)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By otadata, the slot and what was told."""
        (slot, _), (where, _) = self.shown_by
        was = Download(before[where], before[slot], self.target.data, where, slot, frozenset(self.told))
        return was.locate(after[where], after[slot])


@dataclass(frozen=True)
class Restart:
    """A start of a board that runs `target` on probation, cut at `aim`: boot or load."""

    path: ClassVar[str] = "https"
    order: ClassVar = Erases.SEQUENTIAL
    target: Image
    aim: Aim
    table: PartitionTable
    slot: int = 1

    @property
    def shown_by(self) -> tuple[tuple[int, int], ...]:
        """otadata."""
        where = self.table.otadata
        assert where is not None, "probation needs otadata"
        return ((where.offset, otadata.SIZE),)

    @property
    def roles(self) -> Mapping[str, Image]:
        """What is on probation is the new image."""
        return {"new": self.target}

    def prepare(self, board: Esp32) -> None:
        """Put the image into its slot, with a record that says it was started once."""
        where, slot = self.table.otadata, self.table.slot(self.slot)
        assert where is not None, "probation needs otadata"
        assert slot is not None, "probation needs a slot"
        with board.loader() as rom:
            rom.write(slot.offset, self.target.data)
            record = Record.of(self.slot + 1, State.PENDING_VERIFY)
            rom.write(where.offset + otadata.SECTOR, record.pack())

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Start, and wait for the cut. Raises LabFault when the supply is gone."""
        with board.log.watched(watch):
            board.start()
            look_for(lambda: not board.relay.get(), seconds=board.timing.start, clock=board.clock)
        if not board.relay.get():
            raise LabFault("the supply is gone", board=board.name)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By otadata."""
        ((where, _),) = self.shown_by
        return Probation(before[where], where).locate(after[where])
