"""A Core's side of the conversation once the handshake is over: what it says by itself, and how it answers.

It dispatches on a request's code and on one letter, takes the fourth byte for the token, and checks nothing else
(reference/spark-core.md §6.3).
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections import deque

from rig.formats.spark_cipher import Sealer
from rig.formats.spark_coap import Code, Malformed, Message, Option, Type
from rig.formats.spark_flash import FACTORY_REQUESTED, SystemFlags
from rig.formats.spark_handshake import Credentials
from rig.formats.spark_messages import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    LONGEST_ARGUMENT,
    Hello,
    Published,
    acknowledgement,
    answer,
    ping,
    subscribe,
    time_request,
)
from rig.twin.spark_core.app.dialect import Dialect
from rig.twin.spark_core.app.update import Update
from rig.twin.spark_core.app.user_code import PING_SECONDS, PING_TRIES, FactoryResetWanted, PingWanted, UserCode, Value
from rig.twin.spark_core.flags import save
from rig.twin.spark_core.steps import Board
from rig.twin.steps import Delay, Program, Reset

PINGS_AFTER_SECONDS, LOST_AFTER_SECONDS = 15.0, 10.0
#: Events a Core lets out within one second.
BURST = 4
UNKNOWN_FUNCTION = -1
#: What a read from address 0 gives: the initial stack pointer.
READ_FROM_ZERO = 0x2000_5000


class HangUp(Exception):
    """The Core closes the connection."""


class Conversation:
    """One connection, from its Hello on. `handle` and `tick` are programs; they raise HangUp."""

    def __init__(self, board: Board, dialect: Dialect, user: UserCode, flags: SystemFlags, credentials: Credentials):
        self._board, self._dialect, self._user, self._flags = board, dialect, user, flags
        self._sealer: Sealer = credentials.sealer()
        self._opener = credentials.opener()
        self._mid = int.from_bytes(credentials.salt[:2], "big")
        self._time_token = (credentials.salt[2] + 1) % 256
        self._published: deque[float] = deque(maxlen=BURST)
        self._last_message = board.time
        self._waits_for_answer = False
        self._length_overwritten: bytes | None = None
        self.update = Update(board, dialect, flags, self)

    # -- what it says by itself --------------------------------------------------------------------------------------

    def greet(self) -> None:
        """Hello, and what follows it without waiting for an answer."""
        platform = 0 if self._dialect.introduces_key else None
        self.send(Hello(updated=self._flags.flashed == 1, platform=platform).pack(self.next_mid()))
        if self._dialect.introduces_key:
            self.publish(Published("spark/hardware/max_binary", "110592", public=False))
            self.publish(Published("spark/hardware/ota_chunk_size", "512", public=False))
        for prefix in self._user.subscriptions:
            self.send(subscribe(self.next_mid(), prefix))
        if self._user.asks_time:
            self.send(time_request(self.next_mid(), self._time_token))
        for event in self._user.after_hello:
            self.publish(event)

    def publish(self, event: Published) -> bool:
        """Publish, unless there were too many just now or an update is under way."""
        now = self._board.time
        if self.update.under_way and self._dialect.holds_events_back:
            return False
        if len(self._published) == BURST and now - self._published[0] < 1.0:
            return False
        self._published.append(now)
        frame = self._sealer.seal(event.pack(self.next_mid()))
        self._length_overwritten = frame[:2]
        self._board.radio.send(frame)
        return True

    def send(self, plain: bytes) -> bytes:
        """Send a message; returns its ciphertext."""
        frame = self._sealer.seal(plain)
        self._board.radio.send(frame)
        return frame[2:]

    def next_mid(self) -> int:
        """The next of the Core's own message ids."""
        self._mid = (self._mid + 1) % 0x10000
        return self._mid

    def tick(self) -> Program:
        """Ping after 15 s of silence, hang up after 10 more; while updating, the update's own timers."""
        if self.update.under_way:
            yield from self.update.tick()
            return
        silent = self._board.time - self._last_message
        if self._waits_for_answer and silent >= LOST_AFTER_SECONDS:
            raise HangUp
        if not self._waits_for_answer and silent >= PINGS_AFTER_SECONDS:
            self._waits_for_answer = True
            self._last_message = self._board.time
            self.send(ping(self.next_mid()))

    def due(self) -> float:
        """When `tick` next has something to do."""
        if self.update.under_way:
            return self.update.due()
        return self._last_message + (LOST_AFTER_SECONDS if self._waits_for_answer else PINGS_AFTER_SECONDS)

    # -- how it answers ----------------------------------------------------------------------------------------------

    def handle(self, sealed: bytes) -> Program:
        """Act on a frame."""
        try:
            plain = self._opener.open(sealed)
        except Malformed as error:
            raise HangUp from error
        self._last_message, self._waits_for_answer = self._board.time, False
        with contextlib.suppress(Malformed):
            yield from self._dispatch(Message.parse(plain), plain)

    def _dispatch(self, message: Message, plain: bytes) -> Program:
        """By its code and one letter; the token is the fourth byte, whatever that is."""
        letter, token = plain[5 + len(message.token) :][:1], plain[4:5]
        match message.code, letter:
            case Code.EMPTY, _ if message.type == Type.CON:
                self.send(acknowledgement(message.mid))
            case Code.POST, b"h":
                yield from self._server_hello()
            case Code.GET, b"d":
                self._describe(message.mid, token)
            case Code.GET, b"v":
                self._variable(message, token)
            case Code.POST, b"f":
                yield from self._function(message, token)
            case Code.PUT, b"s":
                self._board.event(f"signal:{message.values(Option.URI_QUERY)[:1] == [bytes([1])]}")
                self.send(acknowledgement(message.mid, Code.CHANGED, token))
            case Code.POST, b"e" | b"E":
                event = Published.unpack(message)
                self._board.event(f"event:{event.name}={event.data or ''}")
            case Code.CONTENT, _ if message.type == Type.ACK and token == bytes([self._time_token]):
                self._board.event(f"time:{int.from_bytes(message.payload or b'', 'big')}")
            case Code.POST, b"u":
                yield from self.update.begin(message.mid, token, message.payload or b"")
            case Code.POST, b"c":
                queries = message.values(Option.URI_QUERY)
                yield from self.update.chunk(message.mid, token, queries, message.payload or b"")
            case Code.PUT, b"u":
                yield from self.update.done(message.mid, token)

    def _server_hello(self) -> Program:
        """Every Hello makes the Core write its flags anew: the window that strands it."""
        self._board.event("server-hello" + (":updated" if self._flags.flashed == 1 else ""))
        self._board.light("cyan", 0)
        self._flags.flashed = 0
        yield from save(self._board, self._flags)

    def _describe(self, mid: int, token: bytes) -> None:
        told = {"f": list(self._user.functions), "v": {name: kind for name, (kind, _) in self._user.variables.items()}}
        if not self._dialect.describes_twice:
            self.send(acknowledgement(mid, Code.CONTENT, token, _compact(told)))
            return
        sealed = self.send(acknowledgement(mid, Code.CONTENT, token, _compact({**told, "p": 0, "m": []})))
        again = int.from_bytes(sealed[:2], "big")
        self.send(acknowledgement(again, Code.CONTENT, token, _compact(told)))

    def _variable(self, message: Message, token: bytes) -> None:
        name = b"".join(message.values(Option.URI_PATH)[1:2]).decode("latin-1")
        kind, value = self._user.variables.get(name, (INTEGER, READ_FROM_ZERO))
        self.send(acknowledgement(message.mid, Code.CONTENT, token, _packed(kind, value)))

    def _function(self, message: Message, token: bytes) -> Program:
        name = b"".join(message.values(Option.URI_PATH)[1:2]).decode("latin-1")
        argument = b"".join(message.values(Option.URI_QUERY)[:1]).decode("latin-1")
        if len(argument) > LONGEST_ARGUMENT:
            raise HangUp
        self.send(acknowledgement(message.mid))
        self._length_overwritten = None
        try:
            function = self._user.functions.get(name)
            result = UNKNOWN_FUNCTION if function is None else function(argument, self.publish)
        except PingWanted as wanted:
            answers = self._board.radio.reaches(wanted.host)
            yield Delay(PING_TRIES * PING_SECONDS * (1 if answers else 2))
            result = PING_TRIES if answers else 0
        except FactoryResetWanted:
            self._flags.factory = FACTORY_REQUESTED
            yield from save(self._board, self._flags)
            yield Reset()
        self._board.event(f"call:{name}({argument})={result}")
        payload = struct.pack(">i", result)
        frame = self._sealer.seal(answer(self.next_mid(), token, payload=payload))
        if self._length_overwritten is not None and not self._dialect.mends_length:
            frame = self._length_overwritten + frame[2:]
        self._board.radio.send(frame)


def _compact(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode("latin-1")


def _packed(kind: int, value: Value) -> bytes:
    if kind == BOOLEAN:
        return bytes([bool(value)])
    if kind == INTEGER:
        return struct.pack(">i", int(value))
    if kind == DOUBLE:
        return struct.pack("<d", float(value))
    return str(value).encode("latin-1")
