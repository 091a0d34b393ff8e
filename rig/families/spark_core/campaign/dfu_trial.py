"""What one may try on a Core and cut: an update over DFU, a write to its external flash, a copy by its bootloader.

A trial says what to prepare, what to start, which flash shows how far it came, and reads the landing off that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rig.boards.board import Contents
from rig.drivers.dfu_host import EraseOrder
from rig.drivers.progress import Watcher
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.timing import SAVE_SECONDS
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.power.copy_landing import Copy
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.power.trigger import Aim

APP, FLAGS = (layout.APP_ADDRESS, layout.APP_SIZE), (layout.FLAGS_ADDRESS, SystemFlags.SIZE)
COPY_SHOWN_BY = (APP, FLAGS, (layout.BACKUP_ADDRESS, layout.APP_SIZE))
#: What lies at the beginning of each sector that a trial is to erase.
MARK = b"before the trial"


@dataclass(frozen=True, slots=True)
class DfuTrial:
    """Update over DFU to `target` in `order`, cut at `aim`."""

    path: ClassVar[str] = "dfu"
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = (APP, FLAGS)
    target: Image
    aim: Aim
    order: EraseOrder = EraseOrder.ALL_FIRST
    roles: Mapping[str, Image] = field(default_factory=dict)

    def prepare(self, board: SparkCore) -> None:
        """Nothing."""

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Write, read back and leave."""
        board.update(self.target, order=self.order, watch=watch)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By the application area and the flags."""
        write = DfuWrite(before[APP[0]], before[FLAGS[0]], self.target.data, self.order)
        return write.locate(after[APP[0]], after[FLAGS[0]])


def mark_sectors(board: SparkCore, address: int, length: int) -> None:
    """Lay something at the beginning of each sector of the external flash there, so that an erase shows."""
    with board.dfu() as host:
        for sector in range(address, address + length, layout.EXTERNAL_SECTOR):
            if host.read(sector, len(MARK)) != MARK:
                host.write(sector, MARK)


class _ExternalWrite:
    """Write over DFU to the external flash, where nothing is ever restored."""

    path: ClassVar[str] = "dfu-external"
    target: Image
    order: EraseOrder
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]]

    def prepare(self, board: SparkCore) -> None:
        """Nothing."""

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Write without leaving."""
        with board.dfu(watch) as host:
            host.write(self.landing_stretches[0][0], self.target.data, self.order)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By the sectors that were to be written."""
        address = self.landing_stretches[0][0]
        write = DfuWrite(before[address], b"", self.target.data, self.order, address, layout.EXTERNAL_SECTOR)
        return write.locate(after[address], b"")


@dataclass(frozen=True)
class KeySectorWrite(_ExternalWrite):
    """Write the sector with the server's key and address."""

    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = (
        (layout.SERVER_KEY_ADDRESS, layout.EXTERNAL_SECTOR),
        APP,
    )
    target: Image
    aim: Aim
    order: EraseOrder = EraseOrder.ALL_FIRST
    roles: Mapping[str, Image] = field(default_factory=dict)

    def prepare(self, board: SparkCore) -> None:
        """Mark the sector: what was tried before may have left it blank."""
        mark_sectors(board, layout.SERVER_KEY_ADDRESS, layout.EXTERNAL_SECTOR)


@dataclass(frozen=True)
class FactoryImageWrite(_ExternalWrite):
    """Write the image a factory reset brings back."""

    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = ((layout.FACTORY_ADDRESS, layout.SLOT_SIZE), APP)
    target: Image
    aim: Aim
    order: EraseOrder = EraseOrder.ALL_FIRST
    roles: Mapping[str, Image] = field(default_factory=dict)

    def prepare(self, board: SparkCore) -> None:
        """Mark the slot: what was tried before may have left it blank."""
        mark_sectors(board, layout.FACTORY_ADDRESS, len(self.target))


class _Copying:
    """A copy by the bootloader, from a slot of the external flash into the application area."""

    slot: ClassVar[int]
    order: ClassVar = EraseOrder.ALL_FIRST
    target: Image
    aim: Aim

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By the application area, the flags and the backup slot; what is copied is all that lies in the slot."""
        copy = Copy(before[APP[0]], before[FLAGS[0]], before[layout.BACKUP_ADDRESS], before[self.slot])
        return copy.locate(after[APP[0]], after[FLAGS[0]], after[layout.BACKUP_ADDRESS])


@dataclass(frozen=True)
class FactoryReset(_Copying):
    """A factory reset by the MODE button, `target` in the factory slot."""

    path: ClassVar[str] = "factory-reset"
    slot: ClassVar[int] = layout.FACTORY_ADDRESS
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = (
        *COPY_SHOWN_BY,
        (layout.FACTORY_ADDRESS, layout.APP_SIZE),
    )
    target: Image
    aim: Aim

    @classmethod
    def cut_in(cls, phase: str, share: float, target: Image, board: SparkCore) -> FactoryReset:
        """Cut when `share` of `phase` is done, by the place's timing.

        Generation A marks first and takes a backup; C, whose button asks for safe mode on the way, marks that.
        """
        first, timing = board.tags.get("generation", "").startswith("a"), board.timing
        marks = int(first or timing.copies_once_released)
        moment = timing.copy_moment(phase, share, after=timing.factory_copy, backs_up=first, marks=marks)
        return cls(target, Aim("power-on", delay_ms=1000 * moment))

    @property
    def roles(self) -> Mapping[str, Image]:
        """What lies in the factory slot is the factory image."""
        return {"factory": self.target}

    def prepare(self, board: SparkCore) -> None:
        """Put the target into the slot."""
        with board.dfu() as host:
            if host.read(layout.FACTORY_ADDRESS, len(self.target)) != self.target.data:
                host.write(layout.FACTORY_ADDRESS, self.target.data)

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Hold MODE from power-on, and wait for the cut."""
        board.factory_reset(watch)


@dataclass(frozen=True)
class OtaCopy(_Copying):
    """What follows an update over the air: `target` waits in its slot, and the bootloader copies it in at power-on."""

    path: ClassVar[str] = "ota-copy"
    slot: ClassVar[int] = layout.OTA_ADDRESS
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = (*COPY_SHOWN_BY, (layout.OTA_ADDRESS, layout.APP_SIZE))
    target: Image
    aim: Aim

    @classmethod
    def cut_in(cls, phase: str, share: float, target: Image, board: SparkCore) -> OtaCopy:
        """Cut when `share` of `phase` is done, by the place's timing. A bootloader of 2013 marks nothing."""
        before = board.timing.saves_at_start * SAVE_SECONDS
        marks = int(board.tags.get("generation") != "a2013")
        moment = board.timing.copy_moment(phase, share, after=before, backs_up=True, marks=marks)
        return cls(target, Aim("power-on", delay_ms=1000 * moment))

    @property
    def roles(self) -> Mapping[str, Image]:
        """What waits in the slot is the new image."""
        return {"new": self.target}

    def prepare(self, board: SparkCore) -> None:
        """Let the target wait in its slot."""
        board.write_ota_image(self.target)

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Let it start, and wait for the cut."""
        board.start(watch)
