"""otadata: the two records that say which slot an ESP32 starts, and what they become when somebody chooses a slot.

How a bootloader walks the slots is in esp_boot (ESP-IDF's esp_flash_partitions.h, esp_ota_ops.c).
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rig.families.esp32.formats.idf import SAYS_TWO_SECTORS, Idf
from rig.families.esp32.formats.idf_client import REWRITES_IN_PLACE

SECTOR = 0x1000
RECORD_SIZE = 32
SIZE = 2 * SECTOR
BLANK = 0xFFFF_FFFF
_FORMAT = struct.Struct("<I20sII")


class State(enum.IntEnum):
    """How far the image of a record has come. Any other value counts like UNDEFINED."""

    NEW = 0
    PENDING_VERIFY = 1
    VALID = 2
    INVALID = 3
    ABORTED = 4
    UNDEFINED = 0xFFFF_FFFF


def record_crc(seq: int) -> int:
    """CRC-32 over the sequence number alone: nothing guards state and label."""
    return zlib.crc32(struct.pack("<I", seq), 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lies in flash; `state` is any 32-bit number."""

    seq: int
    state: int
    crc: int
    label: bytes = b"\xff" * 20

    @classmethod
    def unpack(cls, raw: bytes) -> Record:
        """Read 32 bytes, whatever they say; what is missing counts as erased."""
        seq, label, state, crc = _FORMAT.unpack(raw[:RECORD_SIZE].ljust(RECORD_SIZE, b"\xff"))
        return cls(seq, state, crc, label)

    @classmethod
    def of(cls, seq: int, state: int) -> Record:
        """A record as it is made anew."""
        return cls(seq, state, record_crc(seq))

    def pack(self) -> bytes:
        """The 32 bytes."""
        return _FORMAT.pack(self.seq, self.label, self.state, self.crc)

    @property
    def blank_or_bad(self) -> bool:
        """Whether it says by itself that it is not to be used; the CRC is not looked at."""
        return self.seq == BLANK or self.state in (State.INVALID, State.ABORTED)

    @property
    def initial(self) -> bool:
        """Whether nothing readable was ever written here; the state is not looked at."""
        return self.seq == BLANK or self.crc != record_crc(self.seq)

    @property
    def usable(self) -> bool:
        """Whether it may choose a slot."""
        return not self.blank_or_bad and self.crc == record_crc(self.seq)

    def slot(self, slots: int) -> int:
        """The OTA slot it chooses of `slots`; sequence 0 wraps as 32-bit arithmetic does."""
        return ((self.seq - 1) & 0xFFFF_FFFF) % slots


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A record to be written: its sector is erased, then its 32 bytes are programmed."""

    sector: int
    record: Record


class NoActiveRecord(Exception):
    """No record chooses a slot, so none can be marked."""


def unreadable(offset: int, size: int, mapping: int, release: Idf) -> list[str]:
    """What a second stage that maps `mapping` bytes says of an otadata partition that it cannot take."""
    if size < SIZE:
        least = SIZE if release.does(SAYS_TWO_SECTORS) else RECORD_SIZE
        return [f"E boot: ota_info partition size {size} is too small (minimum {least} bytes)"]
    if size > mapping:
        return [
            f"E bootloader_flash: bootloader_mmap excess size {size:x}",
            f"E boot: bootloader_mmap(0x{offset:x}, 0x{size:x}) failed",
        ]
    return []


def read_records(raw: bytes) -> tuple[Record, Record]:
    """Both records from the contents of an otadata partition."""
    return Record.unpack(raw), Record.unpack(raw[SECTOR:])


def active(records: Sequence[Record]) -> int | None:
    """Which record decides: the usable one with the larger sequence number, the first of two equal ones."""
    return newest(records, [record.usable for record in records])


def newest(records: Sequence[Record], eligible: Sequence[bool]) -> int | None:
    """Of the records that are `eligible` the one with the largest sequence number, the first of equal ones."""
    numbers = [index for index in range(len(records)) if eligible[index]]
    return max(numbers, key=lambda index: (records[index].seq, -index), default=None)


def choose_slot(records: Sequence[Record], slot: int, slots: int, state: int, release: Idf) -> Rewrite:
    """What choosing `slot` of `slots` for the next start writes (esp_ota_set_boot_partition).

    `state` is NEW with rollback, else UNDEFINED. Where the active record chooses the slot already, newer releases
    rewrite it in place, and older ones write its number into the other sector: of two equal ones the first decides
    (esp_ota_ops.c). A label that was there stays.
    """
    number = active(records)
    if number is None:
        return _rewrite(records, 0, slot + 1, state)
    seq = records[number].seq
    following = seq + (slot + 1 - seq) % slots
    in_place = following == seq and release.does(REWRITES_IN_PLACE)
    return _rewrite(records, number if in_place else 1 - number, following & 0xFFFF_FFFF, state)


def mark_valid(records: Sequence[Record]) -> Rewrite | None:
    """What confirming the running application writes; None when it is confirmed already. Raises NoActiveRecord."""
    number = _active_or_raise(records)
    if records[number].state == State.VALID:
        return None
    return Rewrite(number, replace(records[number], state=State.VALID))


def mark_invalid(records: Sequence[Record]) -> Rewrite:
    """What giving up the running application writes. Raises NoActiveRecord."""
    number = _active_or_raise(records)
    return Rewrite(number, replace(records[number], state=State.INVALID))


def forgotten_at_begin(records: Sequence[Record], running: int, slots: int) -> int | None:
    """The sector that beginning an update erases (ESP-IDF 5.5 and later, with rollback), or None.

    It is that of the inactive record, when its CRC is good and it is not for the slot that runs.
    """
    number = active(records)
    if number is None:
        return None
    other = records[1 - number]
    if other.crc != record_crc(other.seq) or other.slot(slots) == running:
        return None
    return 1 - number


def _rewrite(records: Sequence[Record], sector: int, seq: int, state: int) -> Rewrite:
    return Rewrite(sector, replace(records[sector], seq=seq, state=state, crc=record_crc(seq)))


def _active_or_raise(records: Sequence[Record]) -> int:
    number = active(records)
    if number is None:
        raise NoActiveRecord("no otadata record chooses a slot")
    return number
