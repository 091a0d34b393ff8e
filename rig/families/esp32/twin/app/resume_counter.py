"""How many bytes of an update are written, kept over power cuts: what an application that resumes has in its NVS.

A stand-in for NVS in the last two sectors of the nvs partition: entries of 32 bytes are appended, and the newest whole
one counts, so that no cut loses more than the last step. It is no NVS that other firmware could read.
"""

from __future__ import annotations

import struct
import zlib

from rig.families.esp32.twin.app.ota import Ota, perform
from rig.families.esp32.twin.memory import SECTOR
from rig.twin.steps import Program

_ENTRY = struct.Struct("<4sIII12xI")
_MAGIC = b"otaW"
BLANK = b"\xff" * _ENTRY.size


class ResumeCounter:
    """Bytes written of the update into the slot at `slot`; 0 for another slot, and where there is no room for it."""

    def __init__(self, ota: Ota, slot: int):
        nvs = ota.table.labelled("nvs")
        self._ota, self._slot = ota, slot
        self._start = nvs.offset + nvs.size - 2 * SECTOR if nvs is not None and nvs.size >= 2 * SECTOR else None
        self._serial, self._next = 0, 0
        self.value = 0
        if self._start is not None:
            self._load(self._start)

    def store(self, value: int) -> Program:
        """Append an entry; a sector that begins is erased first."""
        if self._start is None:
            return
        memory = self._ota.board.memory
        if self._ota.read(self._start + self._next, _ENTRY.size) != BLANK:
            # A sector that is to be begun, or an entry that a cut has torn: the other sector has the newest whole one.
            self._next = -(-self._next // SECTOR) * SECTOR % (2 * SECTOR)
            yield from perform(memory.erasing(self._start + self._next, SECTOR))
        at = self._start + self._next
        self._serial += 1
        yield from perform(memory.programming(at, self._pack(value)))
        self.value = value
        self._next = (self._next + _ENTRY.size) % (2 * SECTOR)

    def _pack(self, value: int) -> bytes:
        head = _ENTRY.pack(_MAGIC, self._serial, self._slot, value, 0)[:-4]
        return head + struct.pack("<I", zlib.crc32(head))

    def _load(self, start: int) -> None:
        raw = self._ota.read(start, 2 * SECTOR)
        for at in range(0, len(raw), _ENTRY.size):
            entry = raw[at : at + _ENTRY.size]
            magic, serial, slot, value, crc = _ENTRY.unpack(entry)
            if magic == _MAGIC and crc == zlib.crc32(entry[:-4]) and serial >= self._serial:
                self._serial, self._next = serial, (at + _ENTRY.size) % (2 * SECTOR)
                self.value = value if slot == self._slot else 0
