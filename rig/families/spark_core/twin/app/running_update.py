"""Updates before 0.4: chunk by chunk at a running address, whatever comes (core-communication-lib
src/spark_protocol.cpp, handle_received_message; core-common-lib src/hw_config.c, FLASH_Update).

Nothing on the wire says which chunk a chunk is: one that comes twice shifts the rest of the image. A chunk is stored
whether or not an update was begun: at the address where the last one ended, at first 0.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Generator
from typing import Any

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.formats.messages import chunk_missed
from rig.families.spark_core.twin.app.channel import Channel
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.update import ASKS_AFTER_SECONDS, CRC_AT, DATA_AT, Slot
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Program, Step, Work

_WORD = 4
#: Answers whether the index went on.
Storing = Generator[Step, Any, bool]


class RunningUpdate:
    """Address and index go on from one connection to the next."""

    def __init__(self, board: Board, dialect: Dialect, flags: SystemFlags, channel: Channel):
        self._board, self._dialect, self._channel = board, dialect, channel
        self.slot = Slot(board, flags, channel)
        self.under_way = False
        self._address = self._index = 0
        self._last_chunk = 0.0

    @property
    def resets_at(self) -> float:
        """When SysTick resets the Core."""
        return self.slot.resets_at

    def begin(self, length: int) -> Program:
        """Acknowledge, erase the whole slot, be ready. A second one in the middle begins all over."""
        token = self._channel.token
        self.slot.acknowledge(length)
        self.slot.awaits()
        yield from self.slot.erase(layout.OTA_ADDRESS, layout.SLOT_SIZE)
        self._address, self._index = layout.OTA_ADDRESS, 0
        self._last_chunk = self._board.time
        self.under_way = True
        self.slot.answer(length, token, Code.CHANGED)

    def chunk(self, length: int) -> Program:
        """Acknowledge, check its CRC, write it, answer."""
        self._last_chunk = self._board.time
        token = self._channel.token
        self.slot.acknowledge(length)
        end = self._channel.end(length)
        data = bytes(self._channel.buffer[DATA_AT:end])
        if end < DATA_AT or zlib.crc32(data) != self._channel.number(CRC_AT, 4):
            self.slot.answer(length, token, Code.BAD_REQUEST)
            return
        self.slot.goes_on()
        if not self._dialect.repairs_writes:
            yield from self._store_words(data)
        elif not (yield from self._store(data)):
            self._ask(length)
            return
        self.slot.answer(length, token, Code.CHANGED)

    def done(self, length: int) -> Program:
        """Obeyed, whatever has come."""
        self.slot.acknowledge(length, Code.CHANGED, self._channel.token)
        yield from self.slot.apply()

    def tick(self) -> Program:
        """Ask for the next chunk after 3 s without one."""
        if self._board.time >= self.due():
            self._ask(0)
            self._last_chunk = self._board.time
        yield from ()

    def due(self) -> float:
        """When `tick` next has something to do."""
        return self._last_chunk + ASKS_AFTER_SECONDS if self.under_way else math.inf

    def connection_is_over(self) -> None:
        """Nothing is awaited any more."""
        self.under_way = False
        self.slot.awaits_nothing()

    went_wrong = connection_is_over

    def _store(self, data: bytes) -> Storing:
        """Write and read back; what is not right costs its sector. Returns whether the index went on."""
        yield from self.slot.write(self._address, data)
        before = self._index
        if self.slot.read(self._address, len(data)) == data:
            self._address += len(data)
            self._index = (self._index + 1) % 0x10000
        else:
            self._address -= self._address % layout.EXTERNAL_SECTOR
            yield Work(self._board.memory.external.erasing(self._address % layout.EXTERNAL_SIZE))
            self._index = (self._address - layout.OTA_ADDRESS) // max(len(data), 1) % 0x10000
        return self._index > before

    def _store_words(self, data: bytes) -> Program:
        """0.2.0: word by word without a look; what is no whole word is written as one, and the address stays there."""
        end = DATA_AT + -(-len(data) // _WORD) * _WORD
        yield from self.slot.write(self._address, bytes(self._channel.buffer[DATA_AT:end]))
        self._address += len(data) // _WORD * _WORD
        self._index = (self._index + 1) % 0x10000

    def _ask(self, at: int) -> None:
        self._channel.say(chunk_missed(self._channel.next_mid(), [self._index]), at=at)
