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

    Phases, in order: forget (the record of the other slot is erased when an update begins, ESP-IDF from 5.5 on),
    download, choose (the new record), first-boot (it is put on probation), confirm, abort.
    """

    records_before: bytes
    slot_before: bytes
    data: bytes
    records_at: int
    slot_at: int

    def locate(self, records: bytes, slot: bytes) -> Landing:
        """Read the landing off both."""
        torn = self._torn_record(records, slot)
        if torn is not None:
            return torn
        if records != self.records_before:
            return self._chosen(records)
        written = _common(slot, self.data)
        if slot == self.slot_before and written < len(self.data):
            return Landing(OUTSIDE, None, "read-back", "nothing was touched")
        if written == len(self.data):
            return Landing("end", self.slot_at + written, "inferred", "all is written, nothing chosen")
        return Landing("download", self.slot_at + written, "read-back", f"{written} of {len(self.data)} bytes written")

    def _torn_record(self, records: bytes, slot: bytes) -> Landing | None:
        """A sector of otadata that is neither what it was nor a whole record."""
        for index, record in enumerate(read_records(records)):
            sector = records[index * SECTOR : (index + 1) * SECTOR]
            was = self.records_before[index * SECTOR : (index + 1) * SECTOR]
            address = self.records_at + index * SECTOR
            if sector == was:
                continue
            if sector == BLANK:
                phase = "choose" if _common(slot, self.data) == len(self.data) else "forget"
                return Landing(phase, address, "read-back", f"record {index} is erased")
            if not record.usable and not record.blank_or_bad:
                return Landing("choose", address, "read-back", f"record {index} is torn")
            if sector[RECORD_SIZE:] != BLANK[RECORD_SIZE:]:
                return Landing("choose", address, "read-back", f"sector {index} is half erased")
        return None

    def _chosen(self, records: bytes) -> Landing:
        state = newest_state(records)
        phase = {
            State.NEW: "chosen",
            State.PENDING_VERIFY: "first-boot",
            State.VALID: "confirmed",
            State.ABORTED: "aborted",
        }.get(State(state) if state in set(State) else State.UNDEFINED, "chosen")
        return Landing(phase, None, "inferred", f"the newest record says {State(state).name.lower()}")


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
