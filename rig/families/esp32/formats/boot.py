"""The second stage of an ESP32: which application it starts, what it writes to otadata and what it prints.

A generator of flash operations and console lines over a reader of flash, so that power can fail at any of them. The
first stage, real time and the application are elsewhere (ESP-IDF's bootloader_utility.c).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.banner import say_banner
from rig.families.esp32.formats.boot_config import BootConfig, FactoryReset, SecureVersion
from rig.families.esp32.formats.boot_table import factory_reset, read_table
from rig.families.esp32.formats.image import Image, Reader, wrapping
from rig.families.esp32.formats.mapping import map_image
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import TABLE_OFFSET, TABLE_SIZE, Partition, PartitionTable, TableRefused
from rig.families.esp32.formats.steps import Erase, Hang, Program, Say, Step, Steps, perform

__all__ = ["BootResult", "Erase", "Hang", "Program", "Say", "Step", "Steps", "boot", "boot_once", "perform"]

SECTOR = otadata.SECTOR
_FACTORY = -1
#: What esp_err_t numbers an error text ends with: no description, no partition, and a write that was refused.
_NOT_FOUND, _INVALID_ARGUMENT, _FAILED = 0x105, 0x102, 0xFFFF_FFFF
_WORD = 4

#: Checks the image in the partition of so many bytes at a flash offset: (offset, size) -> image.
Check = Callable[[int, int], Image]


def boot(read: Reader, config: BootConfig, check: Check | None = None) -> Generator[Step, None, Partition | None]:
    """One start. Returns the partition whose application was entered.

    None when it ended in a software reset, or after Hang in the watchdog's. `check` is for who knows images already
    that are read again and again; it does what `esp_image.load` does.
    """
    steps = _Boot(read, config, check or (lambda at, size: esp_image.load(read, at, size, config.chip, config.release)))
    return (yield from _audible(steps.run(), config))


def _audible(
    steps: Generator[Step, None, Partition | None], config: BootConfig
) -> Generator[Step, None, Partition | None]:
    """The same, without what the build does not print."""
    try:
        while True:
            step = next(steps)
            if not isinstance(step, Say) or config.says(step.line):
                yield step
    except StopIteration as end:
        entered: Partition | None = end.value
        return entered
    except _Reset:
        return None


class _Reset(Exception):
    """Nothing can be started: the bootloader resets the chip."""


class _Boot:
    """One start: what was read, and whether otadata is to be set to what is found to work."""

    def __init__(self, read: Reader, config: BootConfig, check: Check):
        self._read, self._config, self._check = read, config, check
        self._table = PartitionTable(())
        self._initial = False

    def run(self) -> Generator[Step, None, Partition | None]:
        if not (yield from say_banner(self._config)):
            raise _Reset
        table = yield from read_table(self._read, self._config)
        if table is None:
            raise _Reset
        self._table = table
        start = yield from self._choose()
        if isinstance(self._config.held, FactoryReset):
            yield from factory_reset(table, self._config.held, self._config.flash_size)
            # The choice is made twice, so an image that was NEW is already given up here, as on a genuine board.
            start = yield from self._choose()
        elif self._config.held == "test":
            return (yield from self._start_test())
        number, partition, image = yield from self._load(start)
        if number is not None:
            yield from self._settle(number, partition)
        return (yield from _enter(partition, image))

    def _choose(self) -> Generator[Step, None, int]:
        """The slot to begin with, -1 for the factory application."""
        where = self._table.otadata
        self._initial = False
        if where is None:
            return _FACTORY
        if complaints := otadata.unreadable(where.offset, where.size, self._config.chip.mapping, self._config.release):
            yield from map(Say, complaints)
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
        eligible = []
        for record in records:
            slot = self._table.slot(record.slot(self._table.slots)) if self._table.slots else None
            eligible.append(record.usable and (yield from self._new_enough(slot)))
        return (yield from self._choose_recorded(records, otadata.newest(records, eligible)))

    def _load(self, start: int) -> Generator[Step, None, tuple[int | None, Partition, Image]]:
        """Try `start`, then those before it down to the factory application, then those after it, then the test one."""
        for number in (*range(start, _FACTORY - 1, -1), *range(start + 1, self._table.slots)):
            partition = self._table.factory if number == _FACTORY else self._table.slot(number)
            if partition is None or not partition.size:
                continue
            if (yield from self._new_enough(partition)) and (image := (yield from self._try(partition))):
                return number, partition, image
            name = "Factory app partition" if number == _FACTORY else f"OTA app partition slot {number}"
            yield Say(f"E boot: {name} is not bootable")
        test = self._table.test
        if (yield from self._new_enough_for_test(test)) and test and (image := (yield from self._try(test))):
            yield Say("W boot: Falling back to test app as only bootable partition")
            return None, test, image
        yield Say("E boot: No bootable app partitions in the partition table")
        raise _Reset

    def _try(self, partition: Partition) -> Generator[Step, None, Image | None]:
        if not partition.size:
            return None
        image = self._check(partition.offset, partition.size)
        for line in image.console():
            yield Say(line)
        if image.refused:
            if image.refused.crashes:
                yield Hang()
                raise _Reset
            return None
        yield Say(f"I boot: Loaded app from partition at offset 0x{partition.offset:x}")
        return image

    def _settle(self, number: int, partition: Partition) -> Steps:
        """Where otadata had said nothing, it says now what was found to start."""
        where = self._table.otadata
        if number == _FACTORY or not self._initial or where is None:
            return
        yield from _rewrite(where, 0, Record.of(number + 1, State.VALID))
        yield Say(f"I boot: Set actual ota_seq={number + 1} in otadata[0]")
        yield from self._advance(partition)

    def _start_test(self) -> Generator[Step, None, Partition | None]:
        yield Say("I boot: Detect a boot condition of the test firmware")
        test = self._table.test
        if test is None:
            yield Say("E boot: Test firmware is not found in partition table")
            raise _Reset
        image = (yield from self._try(test)) if (yield from self._new_enough_for_test(test)) else None
        if image is None:
            yield Say("E boot: No bootable test partition in the partition table")
            raise _Reset
        return (yield from _enter(test, image))

    def _store(self, records: list[Record], index: int, state: State) -> Steps:
        records[index] = replace(records[index], state=state)
        where = self._table.otadata
        assert where is not None, "records come from otadata"
        yield from _rewrite(where, index, records[index])

    def _new_enough(self, partition: Partition | None) -> Generator[Step, None, bool]:
        """Whether anti-rollback lets an application start; one without a description never."""
        fuse = self._config.secure_version
        if fuse is None:
            return True
        found = esp_image.read_description(self._read, partition.offset) if partition else None
        if found is None and self._config.release.does(esp_idf.SAYS_NO_DESCRIPTION):
            yield Say(f"E boot: Failed to get partition description {_NOT_FOUND if partition else _INVALID_ARGUMENT}")
        return found is not None and found.secure_version >= fuse.read()

    def _new_enough_for_test(self, test: Partition | None) -> Generator[Step, None, bool]:
        return not self._config.release.does(esp_idf.GUARDS_TEST_APP) or (yield from self._new_enough(test))

    def _advance(self, partition: Partition | None) -> Steps:
        fuse = self._config.secure_version
        found = esp_image.read_description(self._read, partition.offset) if fuse and partition else None
        if fuse and found:
            yield from map(Say, fuse.raise_to(found.secure_version))


def _enter(partition: Partition, image: Image) -> Generator[Step, None, Partition | None]:
    """Map the application and jump into it."""
    yield Say("I boot: Disabling RNG early entropy source...")
    hangs = False
    for step in map_image(image):
        hangs = hangs or isinstance(step, Hang)
        yield step
    return None if hangs else partition


def _rewrite(where: Partition, sector: int, record: Record) -> Iterator[Step]:
    """Erase the sector that the record lies in, and write it; what does not begin at a word is not written."""
    address = where.offset + sector * SECTOR
    yield Erase(address - address % SECTOR)
    if address % _WORD:
        yield Say(f"E bootloader_flash: bootloader_flash_write dest_addr 0x{address:x} not {_WORD}-byte aligned")
        yield Say(f"E boot: Error in write_otadata operation. err = 0x{_FAILED:x}")
        return
    yield Program(address, record.pack())


@dataclass(frozen=True, slots=True)
class BootResult:
    """One start: label of the partition entered (None: a reset), console, otadata afterwards, flash operations.

    `otadata` is twice 32 bytes; empty where the table names no otadata. `end` is what came of it: the application, or
    a reset by its name.
    """

    booted: str | None
    console: list[str]
    otadata: tuple[bytes, ...]
    ops: list[Erase | Program] = field(default_factory=list)
    end: Literal["app", "SW_SYS_RST", "RTCWDT_RTC_RESET"] = "app"


def boot_once(flash: bytearray, config: BootConfig) -> BootResult:
    """Start once from `flash`, which is changed as NOR is; reads beyond its end begin again at its start."""
    console: list[str] = []
    ops: list[Erase | Program] = []
    steps, hangs = boot(wrapping(lambda at, length: bytes(flash[at : at + length]), len(flash)), config), False
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            entered: Partition | None = stop.value
            break
        if isinstance(step, Say):
            console.append(step.line)
        elif isinstance(step, Hang):
            hangs = True
        else:
            ops.append(step)
            perform(flash, step)
    label = entered.label if entered else None
    end: Literal["app", "SW_SYS_RST", "RTCWDT_RTC_RESET"] = "RTCWDT_RTC_RESET" if hangs else "SW_SYS_RST"
    return BootResult(label, console, _records(flash, config), ops, "app" if entered else end)


def _records(flash: bytearray, config: BootConfig) -> tuple[bytes, ...]:
    try:
        where = _table(flash, config).otadata
    except TableRefused:
        return ()
    if where is None:
        return ()
    return tuple(bytes(flash[where.offset + at : where.offset + at + otadata.RECORD_SIZE]) for at in (0, SECTOR))


def _table(flash: bytearray, config: BootConfig) -> PartitionTable:
    raw = bytes(flash[TABLE_OFFSET : TABLE_OFFSET + TABLE_SIZE])
    return PartitionTable.parse(raw, config.flash_size, config.release)
