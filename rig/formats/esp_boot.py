"""The second stage of an ESP32: which application it starts, what it writes to otadata and what it prints.

A generator of flash operations and console lines over a reader of flash, so that power can fail at any of them. The
first stage, real time and the application are elsewhere (reference/esp32.md §3.3, vectors/boot).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rig.formats import esp_image, otadata
from rig.formats.esp_boot_config import BootConfig, FactoryReset, SecureVersion
from rig.formats.esp_image import Reader
from rig.formats.otadata import Record, State
from rig.formats.partition_table import DATA, OTADATA, TABLE_OFFSET, TABLE_SIZE, Partition, PartitionTable, TableRefused

SECTOR = otadata.SECTOR
_FACTORY = -1


@dataclass(frozen=True, slots=True)
class Erase:
    """Erase the 4 KiB sector at this flash offset."""

    address: int


@dataclass(frozen=True, slots=True)
class Program:
    """Program these bytes at this flash offset."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Say:
    """Print a line; it begins with its level, I, W or E, and its tag."""

    line: str


Step = Erase | Program | Say
Steps = Generator[Step, None, None]


def boot(read: Reader, config: BootConfig) -> Generator[Step, None, Partition | None]:
    """One start. Returns the partition whose application was entered; None when it ended in a software reset."""
    try:
        return (yield from _Boot(read, config).run())
    except _Reset:
        return None


class _Reset(Exception):
    """Nothing can be started: the bootloader resets the chip."""


class _Boot:
    """One start: what was read, and whether otadata is to be set to what is found to work."""

    def __init__(self, read: Reader, config: BootConfig):
        self._read, self._config = read, config
        self._table = PartitionTable(())
        self._initial = False

    def run(self) -> Generator[Step, None, Partition | None]:
        for line in self._config.banner():
            yield Say(line)
        yield from self._read_table()
        start = yield from self._choose()
        if isinstance(self._config.held, FactoryReset):
            yield from self._factory_reset(self._config.held)
            # The choice is made twice, so an image that was NEW is already given up here, as on a genuine board.
            start = yield from self._choose()
        elif self._config.held == "test":
            return (yield from self._start_test())
        entered = yield from self._load(start)
        yield Say("I boot: Disabling RNG early entropy source...")
        return entered

    def _read_table(self) -> Steps:
        try:
            self._table = PartitionTable.parse(self._read(TABLE_OFFSET, TABLE_SIZE), self._config.flash_size)
        except TableRefused as error:
            yield Say(f"E flash_parts: {error}")
            yield Say("E boot: Failed to verify partition table")
            yield Say("E boot: load partition table error!")
            raise _Reset from error
        yield Say("I boot: Partition Table:")
        yield Say("I boot: ## Label            Usage          Type ST Offset   Length")
        for number, row in enumerate(self._table.rows):
            place = f"{row.type:02x} {row.subtype:02x} {row.offset:08x} {row.size:08x}"
            yield Say(f"I boot: {number:2d} {row.label:16s} {row.usage:16s} {place}")
        yield Say("I boot: End of partition table")

    def _choose(self) -> Generator[Step, None, int]:
        """The slot to begin with, -1 for the factory application."""
        where = self._table.otadata
        self._initial = False
        if where is None:
            return _FACTORY
        if complaint := otadata.unreadable(where.offset, where.size, self._config.flash_size):
            yield Say(complaint)
            raise _Reset
        records = list(otadata.read_records(self._read(where.offset, SECTOR + otadata.RECORD_SIZE)))
        if self._config.rollback:
            for index, record in enumerate(records):
                if record.state == State.PENDING_VERIFY:
                    yield from self._store(records, index, State.ABORTED)
        if self._config.secure_version:
            return (yield from self._choose_secure(records, self._config.secure_version))
        if all(record.blank_or_bad for record in records) or not self._table.slots:
            return (yield from self._choose_unrecorded(records))
        return (yield from self._choose_recorded(records, otadata.active(records)))

    def _choose_unrecorded(self, records: Sequence[Record]) -> Generator[Step, None, int]:
        if self._table.factory:
            yield Say("I boot: Defaulting to factory image")
            return _FACTORY
        yield Say("I boot: No factory image, trying OTA 0")
        self._initial = all(record.initial for record in records)
        return 0

    def _choose_recorded(self, records: list[Record], number: int | None) -> Generator[Step, None, int]:
        if number is None:
            other = "falling back to factory" if self._table.factory else "and no factory, will try all partitions"
            comma = "," if self._table.factory else ""
            yield Say(f"E boot: ota data partition invalid{comma} {other}")
            return _FACTORY
        if self._config.rollback and records[number].state == State.NEW:
            yield from self._store(records, number, State.PENDING_VERIFY)
        slot = records[number].slot(self._table.slots)
        if records[number].state == State.VALID:
            yield from self._advance(self._table.slot(slot))
        return slot

    def _choose_secure(self, records: list[Record], fuse: SecureVersion) -> Generator[Step, None, int]:
        """With anti-rollback: records for slots that are too old are passed over, and nothing is the factory's."""
        yield Say("I boot: Enabled a check secure version of app for anti rollback")
        yield Say(f"I boot: Secure version (from eFuse) = {fuse.read()}")
        if all(record.initial for record in records):
            yield Say("I boot: otadata[0..1] in initial state")
            self._initial = True
            return _FACTORY
        slots = self._table.slots
        eligible = [
            bool(slots) and record.usable and self._new_enough(self._table.slot(record.slot(slots)))
            for record in records
        ]
        return (yield from self._choose_recorded(records, otadata.newest(records, eligible)))

    def _load(self, start: int) -> Generator[Step, None, Partition]:
        """Try `start`, then those before it down to the factory application, then those after it, then the test one."""
        for number in (*range(start, _FACTORY - 1, -1), *range(start + 1, self._table.slots)):
            partition = self._table.factory if number == _FACTORY else self._table.slot(number)
            if partition is None or not partition.size:
                continue
            if (yield from self._try(partition)):
                yield from self._settle(number, partition)
                return partition
            name = "Factory app partition" if number == _FACTORY else f"OTA app partition slot {number}"
            yield Say(f"E boot: {name} is not bootable")
        test = self._table.test
        if test and (yield from self._try(test)):
            yield Say("W boot: Falling back to test app as only bootable partition")
            return test
        yield Say("E boot: No bootable app partitions in the partition table")
        raise _Reset

    def _try(self, partition: Partition) -> Generator[Step, None, bool]:
        if not partition.size or not self._new_enough(partition):
            return False
        config = self._config
        image = esp_image.load(self._read, partition.offset, partition.size, config.chip, config.release)
        for line in image.console():
            yield Say(line)
        if image.refused:
            return False
        yield Say(f"I boot: Loaded app from partition at offset 0x{partition.offset:x}")
        return True

    def _settle(self, number: int, partition: Partition) -> Steps:
        """Where otadata had said nothing, it says now what was found to start."""
        where = self._table.otadata
        if number == _FACTORY or not self._initial or where is None:
            return
        yield from _rewrite(where, 0, Record.of(number + 1, State.VALID))
        yield Say(f"I boot: Set actual ota_seq={number + 1} in otadata[0]")
        yield from self._advance(partition)

    def _start_test(self) -> Generator[Step, None, Partition]:
        yield Say("I boot: Detect a boot condition of the test firmware")
        test = self._table.test
        if test is None:
            yield Say("E boot: Test firmware is not found in partition table")
            raise _Reset
        if not (yield from self._try(test)):
            yield Say("E boot: No bootable test partition in the partition table")
            raise _Reset
        yield Say("I boot: Disabling RNG early entropy source...")
        return test

    def _factory_reset(self, reset: FactoryReset) -> Steps:
        yield Say("I boot: Detect a condition of the factory reset")
        yield Say(f"I boot: Data partitions to erase: {', '.join(reset.labels)}")
        yield Say("I boot_comm: ## Label            Usage Offset   Length   Cleaned")
        failed = False
        for number, row in enumerate(self._table.rows):
            if row.type != DATA:
                continue
            marker = "no"
            if row.label in reset.labels or (reset.otadata and row.subtype == OTADATA):
                marker = yield from self._erase(row)
            failed |= marker == "err"
            yield Say(f"I boot_comm: {number:2d} {row.label:16s} data  {row.offset:08x} {row.size:08x} [{marker}]")
        if failed:
            yield Say("E boot: Not all partitions were erased")

    def _erase(self, row: Partition) -> Generator[Step, None, str]:
        if row.offset % SECTOR or row.size % SECTOR or row.offset + row.size > self._config.flash_size:
            return "err"
        for address in range(row.offset, row.offset + row.size, SECTOR):
            yield Erase(address)
        return "yes"

    def _store(self, records: list[Record], index: int, state: State) -> Steps:
        records[index] = replace(records[index], state=state)
        where = self._table.otadata
        assert where is not None, "records come from otadata"
        yield from _rewrite(where, index, records[index])

    def _new_enough(self, partition: Partition | None) -> bool:
        if self._config.secure_version is None:
            return True
        found = esp_image.read_description(self._read, partition.offset) if partition else None
        return found is not None and found.secure_version >= self._config.secure_version.read()

    def _advance(self, partition: Partition | None) -> Steps:
        fuse = self._config.secure_version
        found = esp_image.read_description(self._read, partition.offset) if fuse and partition else None
        if fuse and found:
            yield from map(Say, fuse.raise_to(found.secure_version))


def _rewrite(where: Partition, sector: int, record: Record) -> Iterator[Step]:
    yield Erase(where.offset + sector * SECTOR)
    yield Program(where.offset + sector * SECTOR, record.pack())


@dataclass(frozen=True, slots=True)
class BootResult:
    """One start: label of the partition entered (None: software reset), console, otadata afterwards, flash operations.

    `otadata` is twice 32 bytes; empty where the table names no otadata.
    """

    booted: str | None
    console: list[str]
    otadata: tuple[bytes, ...]
    ops: list[Erase | Program] = field(default_factory=list)


def boot_once(flash: bytearray, config: BootConfig) -> BootResult:
    """Start once from `flash`, which is changed as NOR is."""
    console: list[str] = []
    ops: list[Erase | Program] = []
    steps = boot(lambda offset, length: bytes(flash[offset : offset + length]), config)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return BootResult(end.value.label if end.value else None, console, _records(flash, config), ops)
        if isinstance(step, Say):
            console.append(step.line)
        else:
            ops.append(step)
            perform(flash, step)


def perform(flash: bytearray, step: Erase | Program) -> None:
    """Do one operation whole: an erase sets bits, a program only clears them, beyond the end nothing happens."""
    start = step.address - step.address % SECTOR if isinstance(step, Erase) else step.address
    data = b"\xff" * SECTOR if isinstance(step, Erase) else step.data
    old = flash[start : start + len(data)]
    data = data[: len(old)]
    if isinstance(step, Program):
        data = bytes(before & after for before, after in zip(old, data, strict=True))
    flash[start : start + len(data)] = data


def _records(flash: bytearray, config: BootConfig) -> tuple[bytes, ...]:
    try:
        where = PartitionTable.parse(bytes(flash[TABLE_OFFSET : TABLE_OFFSET + TABLE_SIZE]), config.flash_size).otadata
    except TableRefused:
        return ()
    if where is None:
        return ()
    return tuple(bytes(flash[where.offset + at : where.offset + at + otadata.RECORD_SIZE]) for at in (0, SECTOR))
