"""Bytes on their way between a Core and its cloud: cut into messages that have names, and late when told. Sans I/O."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from rig.families.spark_core.formats.cipher import Opener
from rig.families.spark_core.formats.coap import Code, Malformed, Message, Type
from rig.families.spark_core.formats.handshake import ANSWER_SIZE, BLOCK_SIZE, NONCE_SIZE, Credentials
from rig.families.spark_core.servers.disturbances import Disturbance

#: Requests of the cloud, by code and path.
_REQUESTS: dict[tuple[int, bytes], str] = {
    (Code.POST, b"h"): "server-hello",
    (Code.POST, b"u"): "begin",
    (Code.POST, b"c"): "chunk",
    (Code.PUT, b"u"): "done",
    (Code.EMPTY, b""): "ping",
}
_ACKNOWLEDGED = {"begin": "begin-ack", "chunk": "chunk-ack", "done": "done-ack", "ping": "pong"}
_ANSWERED = {"begin": "ready", "chunk": "received"}
_CLOUDS_BLOCKS, _CORES_BLOCKS = [("nonce", NONCE_SIZE), ("answer", ANSWER_SIZE)], [("introduction", BLOCK_SIZE)]


class MessageNames:
    """Names of messages, in both directions; an answer is named by what it answers."""

    def __init__(self) -> None:
        self._by_id: dict[int, str] = {}
        self._by_token: dict[bytes, str] = {}
        self._asked: set[int] = set()

    def to_core(self, message: Message) -> str:
        """A message of the cloud."""
        if message.type == Type.ACK:
            return "missed-ack" if message.mid in self._asked else "other-to-core"
        name = _REQUESTS.get((message.code, message.path), "other-to-core")
        self._by_id[message.mid], self._by_token[message.token] = name, name
        return name

    def from_core(self, message: Message) -> str:
        """A message of a Core."""
        if message.type == Type.ACK:
            return _ACKNOWLEDGED.get(self._by_id.get(message.mid, ""), "other-from-core")
        match message.code, message.path:
            case Code.POST, b"h":
                return "hello"
            case Code.POST, b"u":
                return "finished"
            case Code.GET, b"c":
                self._asked.add(message.mid)
                return "missed"
            case _, b"" if message.type == Type.NON:
                return _ANSWERED.get(self._by_token.get(message.token, ""), "other-from-core")
        return "other-from-core"


class MessageSplitter:
    """Cuts what goes one way into the blocks of the handshake and then frames: names and bytes."""

    def __init__(self, names: MessageNames, *, to_core: bool):
        self._name = names.to_core if to_core else names.from_core
        self._blocks = deque(_CLOUDS_BLOCKS if to_core else _CORES_BLOCKS)
        self._other = "other-to-core" if to_core else "other-from-core"
        self._buffer = bytearray()
        self._opener: Opener | None = None

    def cut(self, data: bytes, credentials: Credentials | None) -> Iterator[tuple[str, bytes]]:
        """Whole messages; what is not whole yet waits."""
        self._buffer += data
        while True:
            name, size = self._blocks[0] if self._blocks else (None, 2 + int.from_bytes(self._buffer[:2], "big"))
            if len(self._buffer) < max(size, 2):
                return
            taken = bytes(self._buffer[:size])
            del self._buffer[:size]
            if name is None:
                yield self._frame(taken, credentials), taken
            else:
                self._blocks.popleft()
                yield name, taken

    def _frame(self, frame: bytes, credentials: Credentials | None) -> str:
        if credentials is None:
            return self._other
        if self._opener is None:
            self._opener = credentials.opener()
        try:
            return self._name(Message.parse(self._opener.open(frame[2:])))
        except Malformed:
            return self._other


@dataclass(slots=True)
class DelayedBytes:
    """Bytes, when they may pass, and whether they wait for what comes behind them."""

    at: float
    data: bytes
    joins: bool = False


class DelayLine:
    """One direction: messages pass in order, `due` says when the next does."""

    def __init__(self) -> None:
        self._late: deque[DelayedBytes] = deque()
        self._opens = self._delay = self._latest = 0.0
        #: Bytes that are on their way.
        self.held = 0

    def put(self, data: bytes, now: float, disturbance: Disturbance | None = None) -> None:
        """A message arrives at this end; what happens to it is known by now."""
        kind, seconds = (disturbance.kind, disturbance.seconds) if disturbance is not None else ("", 0.0)
        if kind == "hold":
            self._opens = now + seconds
        elif kind == "delay":
            self._delay = seconds
        at = max(now + self._delay, self._opens, self._latest)
        self.held += len(data)
        if self._late and self._late[-1].joins:
            data = self._late.pop().data + data
        if kind == "split":
            self._late.append(DelayedBytes(at, data[:1]))
            at, data = at + seconds, data[1:]
        if kind == "merge":
            self._late.append(DelayedBytes(at + seconds, data, joins=True))
        else:
            self._latest = at
            self._late.append(DelayedBytes(at, data))

    def due(self) -> float:
        """When something passes next; infinity when nothing is on its way."""
        return self._late[0].at if self._late else math.inf

    def take(self, now: float) -> bytes:
        """What passes by now, in one piece."""
        passed = b""
        while self._late and self._late[0].at <= now:
            passed += self._late.popleft().data
        self.held -= len(passed)
        return passed
