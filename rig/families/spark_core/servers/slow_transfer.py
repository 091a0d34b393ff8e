"""Chunks without an index, one at a time: a Core stores whatever comes behind what it has (reference §6.5).

A chunk that comes twice shifts the image, and TCP delivers every copy that was sent, however late. So none is sent
again unless the first copy is known to be lost. A Core before 0.4 asks after 3 s of silence for the chunk that it
counts next; that says nothing of a copy that is still on its way. Therefore the Core is asked whether it is there:
once it has answered that, it has had all that was sent before, and what it asks for from then on is missing.
"""

from __future__ import annotations

from collections import deque

from rig.families.spark_core.formats.coap import Code, Message, Type
from rig.families.spark_core.servers.chunks import Chunks
from rig.families.spark_core.servers.session import indices_missed

#: The reference server's (§6.4).
MOST_MISSES = 10
#: How many chunks back an answer is still known as one that comes for the second time.
REMEMBERED = 32


class SlowTransfer:
    """Stop and wait; the chunk that is `at` is on its way, unless the server stalls before it."""

    quiet_seconds = 90.0

    def __init__(self, chunks: Chunks):
        self._chunks = chunks
        self._at = 0
        self._is_through = self._on_its_way = False
        #: Copies of this chunk, by id; whether the Core has acknowledged one.
        self._copies: dict[int, bytes] = {}
        self._taken = False
        #: Questions whether the Core is there, sent behind this chunk; whether it has answered one.
        self._questions: set[int] = set()
        self._has_had_all = False
        self._past: deque[bytes] = deque(maxlen=REMEMBERED)
        self._past_ids: deque[int] = deque(maxlen=REMEMBERED)

    def start(self) -> bool:
        """Send the first chunk; answers whether that was all, as `received` does."""
        self._next()
        return self._is_through

    def received(self, message: Message) -> bool:
        """The Core said something; answers whether the last chunk is stored. Raises DeviceFault."""
        if message.type == Type.ACK and message.code == Code.EMPTY:
            self._acknowledged(message.mid)
        elif message.type == Type.NON and not message.options and message.payload is None:
            self._answered(message.token, message.code)
        elif missed := indices_missed(message):
            self._chunks.missed(message, missed)
            self._asked(missed[0])
        return self._is_through

    def quiet(self) -> None:
        """Nothing came for long. Raises DeviceFault, unless it is we who are silent."""
        if self._on_its_way:
            raise self._chunks.fault(f"does not answer chunk {self._at}")

    # -- what the Core says --------------------------------------------------------------------------------------------

    def _acknowledged(self, mid: int) -> None:
        if mid in self._copies:
            self._taken = True
        elif mid in self._questions:
            self._has_had_all = True
        elif mid in self._past_ids:
            self._chunks.damaged("a chunk that counted as lost came late, and is stored twice")

    def _answered(self, token: bytes, code: int) -> None:
        is_new = self._on_its_way and token in self._copies.values()
        if code == Code.BAD_REQUEST and is_new:
            self._chunks.sent.bad_crc += 1
            self._chunks.emit("chunk-bad", index=self._at)
            self._next()
        elif code == Code.CHANGED and is_new:
            self._stored()
        elif code == Code.CHANGED and token in self._past:
            self._chunks.damaged("a chunk is stored twice, what follows is shifted")

    def _asked(self, index: int) -> None:
        """`index` is how many chunks the Core counts; it goes back when it could not write."""
        if index > self._at + self._on_its_way:
            self._chunks.damaged(f"it counts {index} chunks where {self._at} were sent")
        elif not self._on_its_way:
            return
        elif index > self._at:
            self._stored()
        elif index == self._at and not self._taken and not self._has_had_all:
            self._questions.add(self._chunks.ask())
        else:
            self._chunks.lost(MOST_MISSES)
            self._at = index
            self._next()

    # -- what is sent --------------------------------------------------------------------------------------------------

    def _stored(self) -> None:
        self._chunks.stored(self._at)
        if self._goes_wrong_after(self._at):
            return
        self._at += 1
        self._next()

    def _next(self) -> None:
        """Send the chunk whose turn it is; all copies of before are past."""
        self._past.extend(self._copies.values())
        self._past_ids.extend(mid for mid in self._copies if not self._taken)
        self._copies, self._questions = {}, set()
        self._on_its_way = self._taken = self._has_had_all = False
        self._is_through = self._at == len(self._chunks)
        if not self._is_through and not self._chunks.stalls(self._at, self._send):
            self._send()

    def _send(self) -> None:
        self._on_its_way = True
        self._copies = dict(self._chunks.send(self._at))

    def _goes_wrong_after(self, at: int) -> bool:
        """Do what is planned after a chunk; answers whether that was the end."""
        if self._chunks.planned("second-begin", at) is not None:
            self._chunks.begin()
            self._chunks.damaged(f"the update was begun anew after chunk {at}")
        if self._chunks.planned("early-done", at) is None:
            return False
        self._chunks.damaged(f"the update was ended after chunk {at}")
        self._on_its_way, self._is_through = False, True
        return True
