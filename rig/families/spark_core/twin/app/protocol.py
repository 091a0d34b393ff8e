"""A Core's side of its talk with the cloud: what it says by itself, and how it answers.

It lives from one reset to the next: keys, counters, timers and what the buffer holds outlast a connection. It
dispatches on a request's code and on one letter, takes byte 4 for the token, and checks nothing else
(spark_protocol.cpp of core-communication-lib and device-os, event_loop and handle_received_message).
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Generator

from rig.families.spark_core.formats.cipher import LONGEST_FROM_CORE
from rig.families.spark_core.formats.coap import Code, Malformed, Message
from rig.families.spark_core.formats.flash import FACTORY_REQUESTED, SystemFlags
from rig.families.spark_core.formats.handshake import Credentials
from rig.families.spark_core.formats.messages import (
    LONGEST_ARGUMENT,
    Hello,
    Published,
    acknowledgement,
    answer,
    ping,
    presence,
    time_request,
)
from rig.families.spark_core.twin.app import requests
from rig.families.spark_core.twin.app.channel import Channel
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.events import Publisher, Subscriptions
from rig.families.spark_core.twin.app.hang_up import HangUp
from rig.families.spark_core.twin.app.indexed_update import IndexedUpdate
from rig.families.spark_core.twin.app.running_update import RunningUpdate
from rig.families.spark_core.twin.app.update import Update
from rig.families.spark_core.twin.app.user_code import (
    PING_SECONDS,
    PING_TRIES,
    FactoryResetWanted,
    PingWanted,
    UserCode,
)
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Delay, Program, Reset, Step
from rig.twin.tcp import Link

PINGS_AFTER_SECONDS, LOST_AFTER_SECONDS, BLOCKING_SECONDS = 15.0, 10.0, 20.0
UNKNOWN_FUNCTION = -1

Received = Generator[Step, bool, bytes | None]


class Conversation:
    """All that is said between one reset and the next. Its programs raise HangUp."""

    def __init__(
        self,
        board: Board,
        dialect: Dialect,
        user: UserCode,
        flags: SystemFlags,
        *,
        tells_radio: bool = False,
        booted: float | None = None,
    ):
        self._board, self._dialect, self._user, self._flags = board, dialect, user, flags
        self._tells_radio = tells_radio
        self._booted = board.time if booted is None else booted
        self.channel = Channel(board.radio)
        kind = IndexedUpdate if dialect.indexes_chunks else RunningUpdate
        self._update = kind(board, dialect, flags, self.channel)
        self._publisher = Publisher(dialect, self.channel, self._uptime, self._holds_events_back)
        self._subscriptions = Subscriptions(dialect, self.channel, user.subscriptions)
        self._last_message, self._waits_for_answer = self._booted, False
        self._argument, self._user_began = b"", False

    @property
    def update(self) -> Update:
        """The update under way."""
        return self._update

    # -- what it says by itself --------------------------------------------------------------------------------------

    def start(self, credentials: Credentials) -> None:
        """A handshake has succeeded: say Hello."""
        self.channel.start(credentials)
        platform = 0 if self._dialect.introduces_key else None
        hello = Hello(updated=self._flags.flashed == 1, platform=platform)
        self.channel.say(hello.pack(self.channel.next_mid()))

    def greet(self) -> None:
        """What the system says after a handshake; firmware before 0.4 does so even after one that failed."""
        if self._dialect.remembers_subscriptions:
            self.publish(Published("spark/hardware/max_binary", "110592", public=False))
            self.publish(Published("spark/hardware/ota_chunk_size", "512", public=False))
            self._tell_radio()
            self._announce()
            self._subscriptions.repeat()
            self._ask_time()
        else:
            self._announce()
            self._ask_time()
            self._tell_radio()

    def begin_user_code(self) -> None:
        """User code runs while the Core is online: it subscribes when it begins, and publishes."""
        if not self._user_began:
            self._user_began = True
            self._subscriptions.begin()
        for event in self._user.after_hello:
            self.publish(event)

    def publish(self, event: Published) -> bool:
        """Publish, unless there were too many just now or an update is under way."""
        return self._publisher.publish(event)

    def _announce(self) -> None:
        for _ in range(self._dialect.presences):
            self._board.radio.announce(presence(self._board.uid))

    def _tell_radio(self) -> None:
        if self._tells_radio:
            self.publish(Published("spark/cc3000-patch-version", self._board.radio.eeprom.version, public=False))

    def _ask_time(self) -> None:
        if self._dialect.asks_time and not self._update.under_way:
            mid = self.channel.next_mid()
            self.channel.say(time_request(mid, self.channel.next_token()))

    def _holds_events_back(self) -> bool:
        return self._update.under_way and self._dialect.holds_events_back

    def _uptime(self) -> int:
        return round((self._board.time - self._booted) * 1000)

    # -- its loop ----------------------------------------------------------------------------------------------------

    def pass_once(self) -> Generator[Step, bool, bool]:
        """Act on one message, or on the time. Returns whether the connection is still there; raises HangUp."""
        radio = self._board.radio
        if len(radio.received) >= 2:
            yield from self._frame()
            return True
        if radio.received:
            self.channel.put(0, radio.take(1))  # a byte that comes alone is lost
        elif radio.link is not Link.OPEN:
            return False
        yield from self.tick()
        return True

    def wait(self, seconds: float) -> Program:
        """Listen, at the longest so long."""
        yield from self._update.slot.wait(seconds)

    def receive(self, count: int) -> Received:
        """Block until so many bytes have come; None when they did not within 20 s, or the connection is over."""
        radio = self._board.radio
        until = self._board.time + BLOCKING_SECONDS
        while len(radio.received) < count:
            if radio.link is not Link.OPEN or self._board.time >= until:
                return None
            yield from self.wait(until - self._board.time)
        return radio.take(count)

    def tick(self) -> Program:
        """Ping after 15 s of silence, hang up after 10 more; while updating, the update's own timers."""
        if self._update.under_way:
            yield from self._update.tick()
            return
        if self._board.time < self._silent_too_long_at():
            return
        self._waits_for_answer, self._last_message = not self._waits_for_answer, self._board.time
        if not self._waits_for_answer:
            raise HangUp
        self.channel.say(ping(self.channel.next_mid()))

    def due(self) -> float:
        """When `tick` next has something to do, or SysTick."""
        own = self._update.due() if self._update.under_way else self._silent_too_long_at()
        return min(own, self._update.resets_at)

    def _silent_too_long_at(self) -> float:
        return self._last_message + (LOST_AFTER_SECONDS if self._waits_for_answer else PINGS_AFTER_SECONDS)

    def _frame(self) -> Program:
        self.channel.put(0, self._board.radio.take(2))
        try:
            yield from self.handle((yield from self._sealed()))
        except HangUp:
            self._update.went_wrong()
            raise

    def _sealed(self) -> Generator[Step, bool, bytes]:
        self._last_message, self._waits_for_answer = self._board.time, False
        length = self.channel.number(0, 2)
        sealed = (yield from self.receive(length)) if length <= LONGEST_FROM_CORE else None
        if sealed is None:
            raise HangUp
        return sealed

    # -- how it answers ----------------------------------------------------------------------------------------------

    def handle(self, sealed: bytes) -> Program:
        """Act on a frame."""
        self._last_message, self._waits_for_answer = self._board.time, False
        self.channel.receive(sealed)
        channel, length = self.channel, len(sealed)
        match channel.code, channel.letter:
            case Code.EMPTY, _ if channel.wants_answer:
                channel.say(acknowledgement(channel.mid), at=length)
            case Code.POST, b"h":
                yield from self._server_hello()
            case Code.GET, b"d":
                self._describe()
            case Code.GET, b"v":
                value = requests.variable(channel, self._user, self._dialect)
                channel.say(acknowledgement(channel.mid, Code.CONTENT, channel.token, value))
            case Code.POST, b"f":
                yield from self._function(length)
            case Code.PUT, b"s":
                on = bool(channel.buffer[8])
                channel.say(acknowledgement(channel.mid, Code.CHANGED, channel.token))
                self._board.event(f"signal:{on}")
            case Code.POST, b"e" | b"E" if self._dialect.subscribes:
                self._hear(length)
            case Code.CONTENT, _ if self._dialect.asks_time:
                self._board.event(f"time:{channel.number(6, 4)}")
            case Code.POST, b"u":
                yield from self._update.begin(length)
            case Code.POST, b"s" if self._dialect.indexes_chunks:
                yield from self._update.begin(length)
            case Code.POST, b"c":
                yield from self._update.chunk(length)
            case Code.PUT, b"u":
                yield from self._update.done(length)

    def _server_hello(self) -> Program:
        """Every Hello makes the Core write its flags anew: the window that strands it."""
        self._board.event("server-hello" + (":updated" if self._flags.flashed == 1 else ""))
        self._board.light("cyan", 0)
        self._flags.flashed = 0
        yield from save(self._board, self._flags)

    def _describe(self) -> None:
        """Answer; 0.4.4 does so twice, and by then the id in the buffer is the first answer's ciphertext."""
        token = self.channel.token
        for system in (True, False) if self._dialect.describes_twice else (self._dialect.describes_system,):
            description = requests.description(self._user, self._dialect, system=system)
            self.channel.say(acknowledgement(self.channel.mid, Code.CONTENT, token, description))

    def _hear(self, length: int) -> None:
        with contextlib.suppress(Malformed):
            event = Published.unpack(Message.parse(bytes(self.channel.buffer[: self.channel.end(length)])))
            if self._subscriptions.wants(event.name):
                self._board.event(f"event:{event.name}={event.data or ''}")

    def _function(self, length: int) -> Program:
        """Acknowledge, call, and say what came of it. Too long an argument: see `calls_anyway`."""
        channel, token = self.channel, self.channel.token
        if not self._dialect.calls_anyway:
            channel.say(acknowledgement(channel.mid), at=length)
        name = requests.function_name(channel)
        at, count = requests.argument_place(channel)
        fits = count <= LONGEST_ARGUMENT
        if fits:
            self._argument = bytes(channel.buffer[at : at + count])
        elif not self._dialect.calls_anyway:
            raise HangUp
        if self._dialect.calls_anyway:
            channel.say(acknowledgement(channel.mid, 0 if fits else self._dialect.refusal), at=length)
        result = yield from self._call(name, self._argument.partition(b"\0")[0].decode("latin-1"))
        plain = answer(channel.next_mid(), token, payload=struct.pack(">I", result % 2**32))
        channel.say(plain, at=0 if self._dialect.calls_anyway else length, length_again=self._dialect.mends_length)

    def _call(self, name: bytes, argument: str) -> Generator[Step, bool, int]:
        functions = requests.registered(self._user.functions, requests.MOST_FUNCTIONS, self._dialect)
        function, result = functions.get(name), UNKNOWN_FUNCTION
        try:
            if function is not None:
                result = function(argument, self.publish)
        except PingWanted as wanted:
            answers = self._board.radio.reaches(wanted.host)
            yield Delay(PING_TRIES * PING_SECONDS * (1 if answers else 2))
            result = PING_TRIES if answers else 0
        except FactoryResetWanted:
            self._flags.factory = FACTORY_REQUESTED
            yield from save(self._board, self._flags)
            yield Reset()
        self._board.event(f"call:{name.decode('latin-1')}({argument})={result}")
        return result
