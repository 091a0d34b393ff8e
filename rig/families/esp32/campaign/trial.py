"""What one may try on an ESP32 and cut: flashing over the serial port, and an update that it fetches over HTTPS."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from rig.boards.board import Contents
from rig.clock import poll
from rig.drivers.progress import Progress, Watcher
from rig.errors import DeviceFault, LabFault
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.boards.boot_log import TOKENS
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.boards.serial_until_cut import until_cut
from rig.families.esp32.campaign.preset_flash import NOTHING, PresetFlash
from rig.families.esp32.drivers.loader import RomLoader
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import PartitionTable
from rig.families.esp32.power.landing import WITH_ROLLBACK, WITHOUT_ROLLBACK, Download, Probation, SerialWrite
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.power.trigger import Aim

#: How long a client waits for more before it writes what it has (esp_https_ota.c); how much it writes a second
#: at least, its sectors erased one by one, and what is added to both before the end that was held back is sent: the
#: power must be gone by then, and whatever it tells must come before the next trial.
CLIENT_WAITS_SECONDS, WRITTEN_PER_SECOND, HELD_ON_SECONDS = 5.0, 40_000, 1.5
#: How long before it is told that a slot is chosen its record's sector is in the middle of being erased.
CHOOSING_MS = 25.0


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
    def landing_stretches(self) -> tuple[tuple[int, int], ...]:
        """What is written."""
        return ((self.address, len(self.target)),)

    def prepare(self, board: Esp32) -> None:
        """Nothing."""

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Write and read back. Raises LabFault when the supply is gone."""

        def work(rom: RomLoader) -> None:
            rom.write(self.address, self.target.data)

        board.history.add_action(f"wrote {self.target.name}")
        until_cut(board, work, watch)

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
    #: What is laid into flash beforehand; a slot that it does not name is erased, so that what is written shows.
    preset: PresetFlash = NOTHING
    #: What the server does wrong meanwhile: faults of its own, and what each is told.
    faults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Phases that were told while it was tried.
    phases: list[str] = field(default_factory=list, compare=False)

    @property
    def landing_stretches(self) -> tuple[tuple[int, int], ...]:
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
    def to(cls, target: Image, aim: Aim, roles: Mapping[str, Image], preset: PresetFlash = NOTHING) -> HttpsUpdate:
        """An update of a board in the known state that these roles make, with `preset` laid over it."""
        return cls(target, aim, golden_set(roles).table, preset=preset)

    def at_the_end(self) -> HttpsUpdate:
        """The same, cut when every byte is written and nothing is verified or chosen yet (rows 3 and 4 of table 4.2).

        The server sends the image in chunks and holds the last, empty one back: the board writes what it has after
        its own time-out, and waits on.
        """
        delay = CLIENT_WAITS_SECONDS + len(self.target) / WRITTEN_PER_SECOND
        held = {"at": len(self.target), "lasts": delay + HELD_ON_SECONDS}
        aim = Aim("download", share=1.0, delay_ms=1000 * delay)
        return replace(self, aim=aim, faults={"chunked": {}, "stall": held})

    def while_choosing(self, board: Esp32) -> HttpsUpdate:
        """The same, cut while the record is erased that is to choose the new slot (row 5 of table 4.2).

        Nothing is said just before: the delay is calibrated by an update that nobody cuts. Raises DeviceFault.
        """
        takes = self.lasts(board, "begin", "chosen")
        return replace(self, aim=Aim("begin", delay_ms=1000 * takes - CHOOSING_MS))

    def lasts(self, board: Esp32, begins: str, ends: str) -> float:
        """Seconds from one phase to another, of an update that nobody cuts: what a delay is calibrated by.

        Raises DeviceFault when the update does not come that far.
        """
        moments: dict[str, float] = {}

        def note(progress: Progress) -> None:
            moments.setdefault(progress.phase, time.monotonic())

        self._run(board, note, until=ends)
        if not {begins, ends} <= set(moments):
            raise DeviceFault(f"an update told {', '.join(moments)}, not {begins} and {ends}", board=board.name)
        return moments[ends] - moments[begins]

    def prepare(self, board: Esp32) -> None:
        """Lay what is to lie there; else erase the slot."""
        ((address, length), _) = self.landing_stretches
        if self.slot not in self.preset.slots:
            with board.loader() as rom:
                if rom.read(address, length) != b"\xff" * length:
                    rom.erase(address, length)
        self.preset.write(board, self.table)

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Offer, start, and wait until the new image has settled or the supply is gone. Raises LabFault."""
        self._run(board, watch, until="new-confirmed")
        if not board.relay.get():
            raise LabFault("the supply is gone", board=board.name)

    def _run(self, board: Esp32, watch: Watcher, *, until: str) -> None:
        """Update until a phase is told, or the supply is gone."""
        self.phases.clear()

        def hear(progress: Progress) -> None:
            is_new = "chosen" in self.phases and progress.phase in TOKENS
            phase = f"new-{progress.phase}" if is_new else progress.phase
            self.phases.append(phase)
            watch(replace(progress, phase=phase))

        def over() -> bool:
            return not board.relay.get() or until in self.phases

        with board.updates.offered(self.target), board.updates.watched(hear), board.log.watched(hear):
            for kind, how in self.faults.items():
                board.updates.fault(kind, **how)
            board.start()
            poll(over, seconds=board.timing.update, clock=board.clock)
            board.clock.sleep(board.timing.silence)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By otadata, the slot and what was told."""
        (slot, _), (where, _) = self.landing_stretches
        running = (self.slot - 1) % self.table.slots
        forgettable = otadata.forgotten_at_begin(otadata.read_records(before[where]), running, self.table.slots)
        phases = frozenset(self.phases) | ({"restarted"} if self._has_restarted() else set())
        was = Download(before[where], before[slot], self.target.data, where, slot, phases, forgettable, self._states())
        return was.locate(after[where], after[slot])

    def _has_restarted(self) -> bool:
        """Whether the board started once more after the new image had run."""
        return "new-app" in self.phases and "new-start" in self.phases[self.phases.index("new-app") :]

    def _states(self) -> tuple[State, ...]:
        """What the new record goes through, where it is known how the firmware was built."""
        behaviour = behaviour_of(self.target)
        if behaviour is None:
            return ()
        return WITH_ROLLBACK if behaviour.rollback else WITHOUT_ROLLBACK


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
    def landing_stretches(self) -> tuple[tuple[int, int], ...]:
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
        record = Record.of(self.slot + 1, State.PENDING_VERIFY)
        PresetFlash({1: record.pack()}, {self.slot: self.target.data}).write(board, self.table)

    def start(self, board: Esp32, watch: Watcher) -> None:
        """Start, and wait for the cut. Raises LabFault when the supply is gone."""
        with board.log.watched(watch):
            board.start()
            poll(lambda: not board.relay.get(), seconds=board.timing.start, clock=board.clock)
        if not board.relay.get():
            raise LabFault("the supply is gone", board=board.name)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By otadata."""
        ((where, _),) = self.landing_stretches
        return Probation(before[where], where).locate(after[where])
