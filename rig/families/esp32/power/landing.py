"""Where a cut fell on an ESP32, told by the flash it left: read back in download mode, before anything could start."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rig.families.esp32.formats.otadata import RECORD_SIZE, SECTOR, SIZE, Record, State, read_records
from rig.power.landing import OUTSIDE, Landing

BLANK = b"\xff" * SECTOR
#: How a sector of otadata is that holds nothing at all.
ERASED = "erased"
#: What one program command fills at most.
PAGE = 256
#: Bytes at an image's begin that Arduino's Update writes when all others are written.
HELD_BACK = 16
#: States of a record that an update chooses, in their order, with rollback and without.
WITH_ROLLBACK, WITHOUT_ROLLBACK = (State.NEW, State.PENDING_VERIFY, State.VALID), (State.UNDEFINED,)
#: Rewrites of a record with rollback: what each writes, and what was there before.
STEPS: dict[str, tuple[State, State | None]] = {
    "choose": (State.NEW, None),
    "first-boot": (State.PENDING_VERIFY, State.NEW),
    "confirm": (State.VALID, State.PENDING_VERIFY),
    "abort": (State.ABORTED, State.PENDING_VERIFY),
}
#: What is over when a record has such a state.
SETTLED = {
    State.NEW: "chosen",
    State.PENDING_VERIFY: "probation",
    State.VALID: "confirmed",
    State.ABORTED: "aborted",
}


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
        if written == 0 or not self._was_erased(now, written):
            where = self.address + written // SECTOR * SECTOR
            return Landing("erase", where, "read-back", "erased or half erased, nothing programmed there yet")
        return Landing("program", self.address + written, "read-back", f"{written} of {len(self.data)} bytes written")

    def _was_erased(self, now: bytes, written: int) -> bool:
        """Whether the sector that writing has come to was ready for it: what lay there before may begin alike."""
        begin, end = written // SECTOR * SECTOR, (written // SECTOR + 1) * SECTOR
        if written == begin and now[begin:end] == self.before[begin:end]:
            return True  # its turn has not come: each is erased just before it is written
        behind = now[(written // PAGE + 1) * PAGE : end]  # in the page itself a write may be torn
        return behind == b"\xff" * len(behind)


@dataclass(frozen=True, slots=True)
class Download:
    """An update from one slot to the other: otadata and the target slot before it, and what was to be written.

    Phases, in order: forget (the other slot's record is erased when an update begins, ESP-IDF from 5.5 on), download,
    end (all is written, nothing chosen), choose (the new record is written), chosen, first-boot (it is put on
    probation), probation, confirm, confirmed. A record is rewritten alike in three of them: which it was is told by
    what the board had said by then: `chosen`, `new-app`, and `restarted` when it started once more after that. Without
    rollback a record that was chosen stays as it is, whoever runs by it. `forgettable` is the sector that beginning may
    have erased: erased for the choice it looks the same. `states` are those its record goes through, if known.
    """

    records_before: bytes
    slot_before: bytes
    data: bytes
    records_at: int
    slot_at: int
    phases: frozenset[str] = frozenset()
    forgettable: int | None = None
    states: tuple[State, ...] = ()

    def locate(self, records: bytes, slot: bytes) -> Landing:
        """Read the landing off both."""
        written = _written(slot, self.data)
        whole = slot[: len(self.data)] == self.data
        damaged = damaged_record(records, self.records_before)
        if damaged is None and records != self.records_before:
            return self._by_its_state(records)
        if "chosen" in self.phases or (damaged is not None and damaged[1] != ERASED):
            return self._in_a_rewrite(damaged, self._rewriting() if whole else "forget")
        if whole:
            return self._all_written(records, damaged)
        if slot != self.slot_before:
            address, detail = self.slot_at + written, f"{written} of {len(self.data)} bytes written"
            return Landing("download", address, "read-back", detail)
        if damaged is not None:
            return self._in_a_rewrite(damaged, "forget")
        return Landing(OUTSIDE, None, "read-back", "nothing was touched")

    def _in_a_rewrite(self, damaged: tuple[int, str] | None, phase: str) -> Landing:
        if damaged is None:
            return Landing(phase, None, "read-back", "the record that was chosen is gone")
        index, how = damaged
        return Landing(phase, self.records_at + index * SECTOR, "read-back", f"record {index} is {how}")

    def _all_written(self, records: bytes, damaged: tuple[int, str] | None) -> Landing:
        """Between the last byte and the choice. Erasing a sector that is blank leaves no trace of having begun.

        So flash tells only where both sectors hold something; else the server does, while it holds back the end.
        """
        end = self.slot_at + len(self.data)
        if "sent" not in self.phases:
            return Landing("end", end, "read-back", "all is written, and the answer has not ended")
        if damaged is not None and damaged[0] == self.forgettable:
            detail = f"all is written, and record {damaged[0]} erased: when the update began, or now"
            return Landing("choose", self.records_at + damaged[0] * SECTOR, "inferred", detail)
        if damaged is not None:
            return self._in_a_rewrite(damaged, "choose")
        if all(records[at : at + SECTOR] != BLANK for at in (0, SECTOR)):
            return Landing("end", end, "read-back", "all is written, and both records are as they were")
        return Landing("end", end, "inferred", "all is written, nothing chosen")

    def _rewriting(self) -> str:
        if "restarted" in self.phases:
            return "abort"
        if "new-app" in self.phases:
            return "confirm"
        return "first-boot" if "chosen" in self.phases else "choose"

    def _by_its_state(self, records: bytes) -> Landing:
        """A record that is new, and whole but for its state, which nothing guards."""
        state = written_state(records, self.records_before)
        if self.states == WITHOUT_ROLLBACK:
            known_by = "read-back" if state == State.UNDEFINED else "inferred"
            return Landing("chosen", None, known_by, f"the newest record says {_name(state)}")
        if not self.states and state == State.UNDEFINED:
            return Landing("chosen", None, "inferred", "the newest record says nothing: no rollback, or a torn one")
        found = _written_by(self._rewriting(), state)
        if "chosen" not in self.phases and state in (State.PENDING_VERIFY, State.VALID, State.ABORTED):
            return replace(found, known_by="inferred")  # or a console that says nothing
        return found


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
        return _written_by("abort", written_state(records, self.records_before))


def damaged_record(records: bytes, before: bytes) -> tuple[int, str] | None:
    """A sector of otadata that is neither what it was nor a record with a good CRC: which, and how it is."""
    for index, record in enumerate(read_records(records)):
        sector = records[index * SECTOR : (index + 1) * SECTOR]
        if sector == before[index * SECTOR : (index + 1) * SECTOR]:
            continue
        if sector == BLANK:
            return index, ERASED
        if sector[RECORD_SIZE:] != BLANK[RECORD_SIZE:] or record.initial:
            return index, "half erased or torn"
    return None


def _written_by(step: str, state: int) -> Landing:
    """Where a rewrite of the record is that has left this state: torn in it, or between two.

    Programming clears bits: a state that has all bits of the one that the step writes, and more, is that one, torn.
    """
    wanted, before = STEPS[step]
    if state not in (wanted, before) and state & wanted == wanted:
        return Landing(step, None, "read-back", f"the newest record says {_name(state)}: torn in its state")
    if state in SETTLED:
        return Landing(SETTLED[State(state)], None, "read-back", f"the newest record says {_name(state)}")
    return Landing(step, None, "inferred", f"the newest record says {_name(state)}, which nobody writes")


def _name(state: int) -> str:
    return next((known.name.lower() for known in State if known == state), f"{state:#010x}")


def written_state(records: bytes, before: bytes) -> int:
    """State of the record that is not as it was, or else of that with the larger sequence number, whatever it is.

    A record may have been given the number of the other one (ESP-IDF before 6.0): numbers do not tell which is new.
    """
    then = read_records(before[:SIZE])
    found: list[Record] = [record for record in read_records(records[:SIZE]) if not record.initial]
    changed = [record for record in found if record not in then]
    return max(changed or found, key=lambda record: record.seq).state if found else State.UNDEFINED


def _written(slot: bytes, data: bytes) -> int:
    """How many bytes of an image a slot has, from its begin; Arduino's first 16 come last (its Updater.cpp)."""
    if slot[:HELD_BACK] != b"\xff" * HELD_BACK:
        return _common(slot, data)
    behind = _common(slot[HELD_BACK:], data[HELD_BACK:])
    return HELD_BACK + behind if behind else 0


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
