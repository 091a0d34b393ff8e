"""What over-the-air updates of every version have in common: the Core's flash, its flags, and the reset at the end.

The message that is acted on lies in the channel's buffer (reference §6.5; core-common-lib and device-os
src/hw_config.c, FLASH_Begin to FLASH_End).
"""

from __future__ import annotations

import math
from typing import Protocol

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.formats.messages import acknowledgement, answer
from rig.families.spark_core.twin.app.channel import Channel
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Listen, Program, Reset, Work

#: Since the last chunk, when the Core asks for it again; since the last good one, when it gives up.
ASKS_AFTER_SECONDS, GIVES_UP_AFTER_SECONDS = 3.0, 30.0
#: Path `c`, one option of four bytes, the payload marker: where a slow chunk's CRC and data lie.
CRC_AT, DATA_AT = 8, 13


class Update(Protocol):
    """The update under way. `length` is that of the message in the buffer; `chunk` raises HangUp."""

    under_way: bool

    @property
    def resets_at(self) -> float:
        """When SysTick resets a Core that waits for chunks, whatever it does; infinity where none is awaited."""

    def begin(self, length: int) -> Program:
        """UpdateBegin."""

    def chunk(self, length: int) -> Program:
        """A chunk."""

    def done(self, length: int) -> Program:
        """UpdateDone."""

    def tick(self) -> Program:
        """What is due by now."""

    def due(self) -> float:
        """When `tick` next has something to do."""

    def connection_is_over(self) -> None:
        """The connection was lost or left."""

    def went_wrong(self) -> None:
        """A message could not be acted on; the Core hangs up."""


class Slot:
    """The external flash that updates are stored in, and what the Core notes about them in its flags."""

    def __init__(self, board: Board, flags: SystemFlags, channel: Channel):
        self._board, self._flags, self._channel = board, flags, channel
        #: When a chunk was last stored, or the update begun; infinity while none is awaited.
        self._last_stored = math.inf

    @property
    def resets_at(self) -> float:
        """When SysTick resets the board."""
        return self._last_stored + GIVES_UP_AFTER_SECONDS

    def awaits(self) -> None:
        """A chunk is awaited from now on."""
        self._last_stored = self._board.time

    def goes_on(self) -> None:
        """A good chunk has come: the next one has its 30 s."""
        if self._last_stored < math.inf:
            self._last_stored = self._board.time

    def awaits_nothing(self) -> None:
        """SysTick looks away."""
        self._last_stored = math.inf

    def wait(self, seconds: float) -> Program:
        """Listen; a Core that waits for chunks is reset in the middle of it."""
        left = self.resets_at - self._board.time
        if left <= 0:
            self._board.event("update-timeout")
            yield Reset()
        yield Listen(max(min(seconds, left), 0))

    def hang(self) -> Program:
        """The firmware loops for ever: only SysTick ends that."""
        self._board.event("hangs")
        while True:
            yield from self.wait(math.inf)

    def erase(self, address: int, size: int) -> Program:
        """Note that nothing is applied, then erase the sectors that `size` bytes need, as far as SysTick lets it."""
        self._board.light("magenta", 0)
        self._flags.flashed = 0
        yield from save(self._board, self._flags)
        sectors = -(-size // layout.EXTERNAL_SECTOR)
        start, there_are = address % layout.EXTERNAL_SIZE, layout.EXTERNAL_SIZE // layout.EXTERNAL_SECTOR
        before_the_end = min(sectors, there_are - start // layout.EXTERNAL_SECTOR)
        external = self._board.memory.external
        yield Work(external.erasing(start, before_the_end))
        yield Work(external.erasing(0, min(sectors, there_are) - before_the_end))
        if sectors * layout.SECTOR_ERASE > GIVES_UP_AFTER_SECONDS:
            yield from self.hang()

    def write(self, address: int, data: bytes) -> Program:
        """Program once: pairs from an even address on, single bytes at the ends. The chip wraps around."""
        memory = self._board.memory
        while data:
            address %= layout.EXTERNAL_SIZE
            piece, data = data[: layout.EXTERNAL_SIZE - address], data[layout.EXTERNAL_SIZE - address :]
            taken = memory.taken(address, piece)
            odd = address % 2
            pairs = (len(taken) - odd) // 2 * 2
            yield Work(memory.external.byte(address, taken[:odd]))
            yield Work(memory.external.programming(address + odd, taken[odd : odd + pairs]))
            yield Work(memory.external.byte(address + odd + pairs, taken[odd + pairs :]))
            address += len(piece)

    def read(self, address: int, length: int) -> bytes:
        """What lies in flash."""
        address %= layout.EXTERNAL_SIZE
        external = self._board.memory.external
        first = external.read(address, min(length, layout.EXTERNAL_SIZE - address)) if length else b""
        return first + external.read(0, length - len(first)) if len(first) < length else first

    def apply(self) -> Program:
        """Ask the bootloader to copy the slot, and reset."""
        self._flags.ota = layout.OTA_READY
        yield from save(self._board, self._flags)
        self._board.dr[10] = layout.OTA_READY
        self._board.event("update-done")
        yield Reset()

    # -- what is said about it ---------------------------------------------------------------------------------------

    def acknowledge(self, length: int, code: int = 0, token: bytes = b"") -> None:
        """Acknowledge the message in the buffer, behind it."""
        self._channel.say(acknowledgement(self._channel.mid, code, token), at=length)

    def answer(self, length: int, token: bytes, code: int, payload: bytes | None = None) -> None:
        """Answer it with an id of the Core's own."""
        self._channel.say(answer(self._channel.next_mid(), token, code, payload), at=length)
