"""Updates from 0.4 on: a chunk may tell its index, and a fast update is finished by the Core itself.

As device-os v0.4.4 does it (communication/src/spark_protocol.cpp, handle_update_begin to handle_update_done;
system/src/system_update.cpp). What is missing is a bit map at the end of the channel's buffer: whatever is long
enough to reach there changes it. Neither size nor place of an update is checked.
"""

from __future__ import annotations

import math
import zlib

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.formats.messages import UpdateBegin, chunk_missed, update_done_by_core
from rig.families.spark_core.twin.app.channel import BUFFER_SIZE, Channel
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.hang_up import HangUp
from rig.families.spark_core.twin.app.update import ASKS_AFTER_SECONDS, Slot
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Program

DEFAULT_CHUNK = 512
#: How many indices one ChunkMissed holds at most, and how many chunks an update may have.
MOST_MISSED, MOST_CHUNKS = 50, 65535
#: The only place of an update that is stored and applied; others are erased, and their chunks acknowledged.
FIRMWARE = 0
_OPTIONS_AT, _PAYLOAD_AT, _BEGIN_SIZE = 7, 8, 12
_MARKER = 0xFF


class IndexedUpdate:
    """An update survives the connection: events stay held back, until chunks go on or SysTick resets the Core."""

    def __init__(self, board: Board, dialect: Dialect, flags: SystemFlags, channel: Channel):
        self._board, self._dialect, self._channel = board, dialect, channel
        self.slot = Slot(board, flags, channel)
        self.under_way = False
        self._begin = UpdateBegin(0, 0)
        self._index = self._last_listed = 0
        self._lists_missing = False
        self._last_chunk = 0.0

    @property
    def resets_at(self) -> float:
        """When SysTick resets the Core."""
        return self.slot.resets_at

    # -- messages ----------------------------------------------------------------------------------------------------

    def begin(self, length: int) -> Program:
        """Acknowledge what is to come, erase for it, be ready."""
        token, begin = self._channel.token, self._read_begin(length)
        self._begin = begin
        if self._count() >= MOST_CHUNKS:
            self.slot.acknowledge(length, self._dialect.refusal)
            return
        self.slot.acknowledge(length)
        self.slot.awaits()
        yield from self.slot.erase(self._place, begin.size)
        self._last_chunk = self._board.time
        self._index, self._lists_missing = 0, False
        self.under_way = True
        bits = -(-self._count() // 8)
        self._channel.put(max(BUFFER_SIZE - bits, 0), (b"\0" if begin.fast else b"\xff") * min(bits, BUFFER_SIZE))
        self.slot.answer(length, token, Code.CHANGED, bytes([begin.fast]))

    def chunk(self, length: int) -> Program:
        """Acknowledge, check its CRC, write it where its index or the one before says. Raises HangUp."""
        self._last_chunk = self._board.time
        token = self._channel.token
        self.slot.acknowledge(length)
        if not self.under_way:
            return
        at, options = self._read_options()
        if at is None:
            yield from self.slot.hang()
            return
        has_index = len(options) > 1
        if has_index:
            self._index = options[1] >> 16
        if self._index >= MOST_CHUNKS:
            raise HangUp
        end = self._channel.end(length)
        data = bytes(self._channel.buffer[at:end])
        if end >= at and zlib.crc32(data) == (options[0] if options else 0):
            yield from self._good_chunk(length, token, data, has_index=has_index)
        elif not has_index:
            self.slot.answer(length, token, Code.BAD_REQUEST)

    def done(self, length: int) -> Program:
        """Obeyed in a slow update, whatever has come; in a fast one what is missing is asked for."""
        token, missing = self._channel.token, self._missing() is not None
        self.slot.acknowledge(length, Code.BAD_REQUEST if missing else Code.CHANGED, token)
        if missing:
            self._lists_missing = self.under_way = True
            self._list_missing()
            self._last_chunk = self._board.time
            return
        yield from self._finish()

    def tick(self) -> Program:
        """Ask again after 3 s of silence."""
        if self._board.time >= self.due():
            if self._lists_missing:
                if not self._list_missing():
                    raise HangUp
            elif self._dialect.asks_for_slow_chunks:
                self._channel.say(chunk_missed(self._channel.next_mid(), [self._index]))
            self._last_chunk = self._board.time
        yield from ()

    def due(self) -> float:
        """When `tick` next has something to do."""
        return self._last_chunk + ASKS_AFTER_SECONDS if self.under_way else math.inf

    def connection_is_over(self) -> None:
        """Nothing changes by that."""

    def went_wrong(self) -> None:
        """Nothing is awaited any more."""
        if self.under_way:
            self.under_way = self._lists_missing = False
            self.slot.awaits_nothing()

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _read_begin(self, length: int) -> UpdateBegin:
        """What is to come. Without a size of chunks, or a payload, the largest image in chunks of 512."""
        payload = bytes(self._channel.buffer[_PAYLOAD_AT : _PAYLOAD_AT + _BEGIN_SIZE])
        there = self._channel.end(length) >= _PAYLOAD_AT + _BEGIN_SIZE and self._channel.buffer[_OPTIONS_AT] == _MARKER
        begin = UpdateBegin.unpack(payload) if there else UpdateBegin(0, 0)
        if begin.store == FIRMWARE and not begin.chunk_size:
            return UpdateBegin(layout.APP_SIZE, DEFAULT_CHUNK, begin.fast, begin.store, begin.address)
        return begin

    @property
    def _place(self) -> int:
        return self._begin.address + (layout.OTA_ADDRESS if self._begin.store == FIRMWARE else 0)

    def _read_options(self) -> tuple[int | None, list[int]]:
        """Where the data of a chunk begin, and the four bytes of each option before them; None when it never ends."""
        at, options = _OPTIONS_AT, list[int]()
        while self._channel.buffer[at] != _MARKER:
            if len(options) > 0xFF:
                return None, options
            options.append(self._channel.number(at + 1, 4))
            at = (at + (self._channel.buffer[at] & 0x0F) + 1) % 0x100
        return (at + 1) % 0x100, options

    def _good_chunk(self, length: int, token: bytes, data: bytes, *, has_index: bool) -> Program:
        self.slot.goes_on()
        if self._begin.store == FIRMWARE:
            yield from self._write_until_right(self._place + self._index * self._begin.chunk_size, data)
        owed = not (has_index and self._lists_missing)
        self._note(self._index)
        if self._lists_missing and self._missing() is None:
            yield from self._whole(length)
        elif owed:
            self.slot.answer(length, token, Code.CHANGED)
        if self._lists_missing and (first := self._missing()) is not None and first > self._last_listed:
            self._list_missing()
        self._index = (self._index + 1) % 0x10000

    def _whole(self, length: int) -> Program:
        """Nothing is missing any more: finish, and say so. Up to 0.4.7 that comes too late, for the Core was reset."""
        if not self._dialect.announces_done:
            yield from self._finish()
        self._channel.say(update_done_by_core(self._channel.next_mid()), at=length)
        if self._dialect.announces_done:
            yield from self._finish()

    def _write_until_right(self, address: int, data: bytes) -> Program:
        """Write as often as it takes; where flash cannot become what it should, the Core loops until it is reset."""
        worn = self._board.memory.worn_out
        while data:
            before, cells = self.slot.read(address, len(data)), dict(worn)
            yield from self.slot.write(address, data)
            now = self.slot.read(address, len(data))
            if now == data:
                return
            if now == before and cells == worn:
                yield from self.slot.hang()

    def _finish(self) -> Program:
        self.under_way = self._lists_missing = False
        self.slot.awaits_nothing()
        if self._begin.store == FIRMWARE:
            yield from self.slot.apply()

    # -- what is missing ---------------------------------------------------------------------------------------------

    def _count(self) -> int:
        size, chunk_size = self._begin.size, self._begin.chunk_size
        return (size + chunk_size - 1) % 2**32 // chunk_size if chunk_size else 0

    def _bit(self, index: int) -> tuple[int, int]:
        return BUFFER_SIZE - -(-self._count() // 8) + index // 8, 1 << index % 8

    def _note(self, index: int) -> None:
        at, bit = self._bit(index)
        if 0 <= at < len(self._channel.buffer):
            self._channel.buffer[at] |= bit

    def _missing(self, start: int = 0) -> int | None:
        for index in range(start, self._count()):
            at, bit = self._bit(index)
            if at >= 0 and not self._channel.buffer[at] & bit:
                return index
        return None

    def _list_missing(self) -> list[int]:
        """Ask for what is missing; the id is used up even when that is nothing."""
        mid, listed = self._channel.next_mid(), list[int]()
        index = self._missing()
        while index is not None and len(listed) < MOST_MISSED:
            listed.append(index)
            self._last_listed = index
            index = self._missing(index + 1)
        if listed:
            self._channel.say(chunk_missed(mid, listed))
        return listed
