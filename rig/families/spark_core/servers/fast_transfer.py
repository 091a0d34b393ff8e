"""Chunks with their index, many on their way at once, as 0.4 takes them: one that comes twice does no harm (§6.5)."""

from __future__ import annotations

from rig.families.spark_core.formats.coap import Message, Type
from rig.families.spark_core.servers.chunks import Chunks
from rig.families.spark_core.servers.session import indices_missed

#: The reference server's: each chunk may be lost once, and ten more (§6.4).
MOST_MISSES = 10
#: How many unanswered chunks may be on their way: more would fill a busy Core's buffers.
WINDOW = 16


class FastTransfer:
    """All chunks, a window of them unanswered; what the Core misses it says when it is told that this was all."""

    #: Damaged chunks are never answered: the Core will ask for them.
    quiet_seconds = 1.0

    def __init__(self, chunks: Chunks):
        self._chunks = chunks
        self._at = 0
        self._stalls = False
        self._ends = len(chunks)
        #: Chunks that are not answered yet, by token.
        self._outstanding: dict[bytes, int] = {}

    def start(self) -> bool:
        """Send the first window; answers whether that was all, as `received` does."""
        return self._go_on()

    def received(self, message: Message) -> bool:
        """The Core said something; answers whether all chunks are sent. Raises DeviceFault."""
        if message.type == Type.NON and message.token in self._outstanding:
            self._chunks.stored(self._outstanding.pop(message.token))
        elif missed := indices_missed(message):
            self._chunks.missed(message, missed)
            self._chunks.lost(MOST_MISSES + len(self._chunks))
            for index in missed:
                if index < len(self._chunks):
                    self._chunks.send(index, index)
        return self._go_on()

    def quiet(self) -> None:
        """Nothing came for a while: send on."""
        self._outstanding.clear()
        self._go_on()

    def _go_on(self) -> bool:
        while self._at < self._ends and len(self._outstanding) < WINDOW and not self._stalls:
            self._stalls = self._chunks.stalls(self._at, self._resume)
            if not self._stalls:
                self._send()
        return self._at >= self._ends

    def _resume(self) -> None:
        self._stalls = False
        self._send()
        self._go_on()

    def _send(self) -> None:
        at, self._at = self._at, self._at + 1
        self._outstanding |= {token: at for _, token in self._chunks.send(at, at)}
        if self._chunks.planned("second-begin", at) is not None:
            self._chunks.begin()
        if self._chunks.planned("early-done", at) is not None:
            self._ends = self._at
