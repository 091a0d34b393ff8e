"""Where a cut fell on an ESP32, told by the flash it left: read back in download mode, before anything could start."""

from __future__ import annotations

from dataclasses import dataclass

from rig.formats.otadata import RECORD_SIZE, SECTOR, SIZE, Record, State, read_records
from rig.power.landing import OUTSIDE, Landing

BLANK = b"\xff" * SECTOR


@dataclass(frozen=True, slots=True)
class SerialWrite:
    """A write over the serial port: the loader erases everything, or as it goes, and then programs in order."""

    address: int
    before: bytes
    data: bytes

    def locate(self, now: bytes) -> Landing:
        """Read the landing off the written stretch."""
        written = _common(now, self.data)
        if written == len(self.data):
            return Landing(OUTSIDE, None, "read-back", "everything written")
        if now == self.before:
            return Landing(OUTSIDE, None, "read-back", "nothing was touched")
        if written == 0:
            return Landing("erase", self.address, "read-back", "erased or half erased, nothing programmed yet")
        return Landing("program", self.address + written, "read-back", f"{written} of {len(self.data)} bytes written")


@dataclass(frozen=True, slots=True)
class Download:
    """An update from one slot to the other: otadata and the target slot before it, and what was to be written.

    Phases, in order: forget (the other slot's record is erased when an update begins, ESP-IDF from 5.5 on), download,
    end (all is written, nothing chosen), choose (the new record is written), chosen, first-boot (it is put on
    probation), probation, confirm, confirmed. A record is rewritten alike in three of them: which it was is told by
    what the board had said by then.
    """

    records_before: bytes
    slot_before: bytes
    data: bytes
    records_at: int
    slot_at: int
    told: frozenset[str] = frozenset()

    def locate(self, records: bytes, slot: bytes) -> Landing:
        """Read the landing off both."""
        written = _common(slot, self.data)
        damaged = damaged_record(records, self.records_before)
        if damaged is not None:
            index, how = damaged
            phase = self._rewriting() if written == len(self.data) else "forget"
            return Landing(phase, self.records_at + index * SECTOR, "read-back", f"record {index} is {how}")
        if records != self.records_before:
            return _settled(records)
        if "chosen" in self.told:
            return Landing(self._rewriting(), None, "read-back", "the record that was chosen is gone")
        if slot == self.slot_before and written < len(self.data):
            return Landing(OUTSIDE, None, "read-back", "nothing was touched")
        if written == len(self.data):
            return Landing("end", self.slot_at + written, "inferred", "all is written, nothing chosen")
        return Landing("download", self.slot_at + written, "read-back", f"{written} of {len(self.data)} bytes written")

    def _rewriting(self) -> str:
        if "new-app" in self.told:
            return "confirm"
        return "first-boot" if "chosen" in self.told else "choose"


@dataclass(frozen=True, slots=True)
class Probation:
    """A start that finds a record on probation: it is given up, by a rewrite. Phases: abort, aborted."""

    records_before: bytes
    records_at: int

    def locate(self, records: bytes) -> Landing:
        """Read the landing off otadata."""
        damaged = damaged_record(records, self.records_before)
        if damaged is not None:
            index, how = damaged
            return Landing("abort", self.records_at + index * SECTOR, "read-back", f"record {index} is {how}")
        if records == self.records_before:
            return Landing(OUTSIDE, None, "read-back", "nothing was touched")
        return _settled(records)


def damaged_record(records: bytes, before: bytes) -> tuple[int, str] | None:
    """A sector of otadata that is neither what it was nor a whole record: which, and how it is."""
    for index, record in enumerate(read_records(records)):
        sector = records[index * SECTOR : (index + 1) * SECTOR]
        if sector == before[index * SECTOR : (index + 1) * SECTOR]:
            continue
        if sector == BLANK:
            return index, "erased"
        if sector[RECORD_SIZE:] != BLANK[RECORD_SIZE:] or record.initial:
            return index, "half erased or torn"
        if record.state not in set(State):
            return index, "torn in its state"
    return None


def _settled(records: bytes) -> Landing:
    """Between two rewrites: how far the newest record has come."""
    state = newest_state(records)
    names = {State.PENDING_VERIFY: "probation", State.VALID: "confirmed", State.ABORTED: "aborted"}
    phase = next((name for known, name in names.items() if known == state), "chosen")
    return Landing(phase, None, "read-back", f"the newest record says {State(state).name.lower()}")


def newest_state(records: bytes) -> int:
    """State of the record with the larger sequence number, whatever it is."""
    found: list[Record] = [record for record in read_records(records[:SIZE]) if not record.initial]
    return max(found, key=lambda record: record.seq).state if found else State.UNDEFINED


def _common(left: bytes, right: bytes) -> int:
    """How many bytes both begin with alike."""
    most = min(len(left), len(right))
    if left[:most] == right[:most]:
        return most
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
