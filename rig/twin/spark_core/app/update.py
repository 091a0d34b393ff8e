"""Over-the-air updates as a Core takes them: chunk by chunk at a running address, hazards included (reference §6.5).

Slow updates have no index on the wire: a chunk that comes twice shifts the rest of the image. Fast ones (0.4 and
later) have one, and are finished by the Core itself once nothing is missing.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from rig.formats import spark_flash as layout
from rig.formats.spark_coap import Code, Malformed
from rig.formats.spark_flash import SystemFlags
from rig.formats.spark_messages import UpdateBegin, acknowledgement, answer, chunk_missed, update_done_by_core
from rig.twin.spark_core.app.dialect import Dialect
from rig.twin.spark_core.flags import save
from rig.twin.spark_core.steps import Board
from rig.twin.steps import Program, Reset, Work

#: Since the last chunk: when the Core asks for it again, and when it gives up.
ASKS_AFTER_SECONDS, GIVES_UP_AFTER_SECONDS = 3.0, 30.0
DEFAULT_CHUNK = 512
#: How many indices one ChunkMissed holds at most.
MOST_MISSED = 40


class Speaker(Protocol):
    """What an update needs of the connection."""

    def send(self, plain: bytes) -> bytes:
        """Send a message; returns its ciphertext."""

    def next_mid(self) -> int:
        """An id for a message of the Core's own."""


class Update:
    """The update under way on one connection; it is gone with it."""

    def __init__(self, board: Board, dialect: Dialect, flags: SystemFlags, speaker: Speaker):
        self._board, self._dialect, self._flags, self._speaker = board, dialect, flags, speaker
        self.under_way = False
        self._begin = UpdateBegin(0, DEFAULT_CHUNK)
        self._address, self._index = layout.OTA_ADDRESS, 0
        self._missing: set[int] = set()
        self._asked: list[int] = []
        self._last_chunk = self._last_asked = 0.0

    # -- messages ----------------------------------------------------------------------------------------------------

    def begin(self, mid: int, token: bytes, payload: bytes) -> Program:
        """UpdateBegin: acknowledge, erase, be ready. A second one in the middle begins all over."""
        if self._dialect.reads_begin and not self._accepts(payload):
            self._speaker.send(acknowledgement(mid, Code.BAD_REQUEST, token))
            return
        self._speaker.send(acknowledgement(mid))
        self._board.light("magenta", 0)
        self._flags.flashed = 0
        yield from save(self._board, self._flags)
        yield Work(self._board.memory.external.erasing(layout.OTA_ADDRESS, self._sectors()))
        self._address, self._index = layout.OTA_ADDRESS, 0
        self._missing, self._asked = set(range(self._count())), []
        self.under_way = True
        self._last_chunk = self._last_asked = self._board.time
        self._speaker.send(answer(self._speaker.next_mid(), token, payload=self._accepted()))

    def chunk(self, mid: int, token: bytes, queries: list[bytes], data: bytes) -> Program:
        """A chunk: acknowledge, check its CRC, write it, answer."""
        self._speaker.send(acknowledgement(mid))
        self._last_chunk = self._last_asked = self._board.time
        good = bool(queries) and queries[0] == zlib.crc32(data).to_bytes(4, "big")
        fast = self._begin.fast and len(queries) > 1
        if fast:
            yield from self._fast_chunk(token, int.from_bytes(queries[1], "big"), data, good)
        elif not good:
            self._answer(token, Code.BAD_REQUEST)
        else:
            yield from self._slow_chunk(token, data)

    def done(self, mid: int, token: bytes) -> Program:
        """UpdateDone: obeyed whatever has come, but in a fast update not before it is whole."""
        if self._begin.fast and self._missing:
            self._speaker.send(acknowledgement(mid, Code.BAD_REQUEST, token))
            self._ask_for_missing()
            return
        self._speaker.send(acknowledgement(mid, Code.CHANGED, token))
        yield from self._finish()

    def tick(self) -> Program:
        """Ask again after 3 s of silence, reset after 30 s."""
        if not self.under_way:
            return
        now = self._board.time
        if now - self._last_chunk >= GIVES_UP_AFTER_SECONDS:
            self._board.event("update-timeout")
            yield Reset()
        if now - self._last_asked < ASKS_AFTER_SECONDS:
            return
        if self._asked:
            self._ask_for_missing()
        elif not self._dialect.reads_begin:
            self._ask([self._index])

    def due(self) -> float:
        """When `tick` next has something to do."""
        if not self.under_way:
            return float("inf")
        asks = bool(self._asked) or not self._dialect.reads_begin
        times = [self._last_chunk + GIVES_UP_AFTER_SECONDS, *([self._last_asked + ASKS_AFTER_SECONDS] if asks else [])]
        return min(times)

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _accepts(self, payload: bytes) -> bool:
        """Read what is to come. No payload means the largest image in chunks of 512."""
        try:
            begin = UpdateBegin.unpack(payload) if payload else UpdateBegin(layout.APP_SIZE, DEFAULT_CHUNK)
        except Malformed:
            return False
        if not 0 < begin.size <= layout.APP_SIZE or not 0 < begin.chunk_size <= DEFAULT_CHUNK or begin.store:
            return False
        self._begin = begin
        return True

    def _sectors(self) -> int:
        if not self._dialect.reads_begin:
            return layout.SLOT_SIZE // layout.EXTERNAL_SECTOR
        return -(-self._begin.size // layout.EXTERNAL_SECTOR)

    def _count(self) -> int:
        return -(-self._begin.size // self._begin.chunk_size)

    def _accepted(self) -> bytes | None:
        return bytes([self._begin.fast]) if self._dialect.reads_begin else None

    def _slow_chunk(self, token: bytes, data: bytes) -> Program:
        start = self._address
        yield from self._write(start, data)
        if self._dialect.repairs_writes and self._board.memory.external.read(start, len(data)) != data:
            sector = start - start % layout.EXTERNAL_SECTOR
            yield Work(self._board.memory.external.erasing(sector))
            self._address, self._index = sector, (sector - layout.OTA_ADDRESS) // len(data)
            self._ask([self._index])
            return
        self._address += len(data)
        self._index += 1
        self._answer(token, Code.CHANGED)

    def _fast_chunk(self, token: bytes, index: int, data: bytes, good: bool) -> Program:
        """Damaged chunks are not answered, they stay missing; nor is any chunk once the Core has asked for some."""
        if good and index in self._missing:
            yield from self._write(layout.OTA_ADDRESS + index * self._begin.chunk_size, data)
            self._missing.discard(index)
        if not self._asked:
            if good:
                self._answer(token, Code.CHANGED)
        elif not self._missing:
            self._speaker.send(update_done_by_core(self._speaker.next_mid()))
            yield from self._finish()
        elif self._missing.isdisjoint(self._asked):
            self._ask_for_missing()

    def _write(self, address: int, data: bytes) -> Program:
        memory = self._board.memory.external
        data = self._board.memory.taken(address, data[: layout.EXTERNAL_SIZE - address])
        even = len(data) // 2 * 2
        yield Work(memory.programming(address, data[:even]))
        if even < len(data):
            yield Work(memory.byte(address + even, data[even:]))

    def _finish(self) -> Program:
        self.under_way = False
        self._flags.ota = layout.OTA_READY
        yield from save(self._board, self._flags)
        self._board.dr[10] = layout.OTA_READY
        self._board.event("update-done")
        yield Reset()

    def _answer(self, token: bytes, code: int) -> None:
        self._speaker.send(answer(self._speaker.next_mid(), token, code))

    def _ask_for_missing(self) -> None:
        self._asked = sorted(self._missing)[:MOST_MISSED]
        self._ask(self._asked)

    def _ask(self, indices: list[int]) -> None:
        self._last_asked = self._board.time
        self._speaker.send(chunk_missed(self._speaker.next_mid(), indices))
