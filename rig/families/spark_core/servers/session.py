"""A Core that is online: what it is asked and tells, until its connection is over.

Every request carries one token, because a Core takes the fourth byte for it; answers are matched by token, because
0.4 answers Describe twice under an id that is none (vectors/spark).
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.formats.coap import Code, Malformed, Message, Option, Type, path
from rig.families.spark_core.formats.messages import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    LONGEST_ARGUMENT,
    LONGEST_DATA,
    LONGEST_FUNCTION_NAME,
    LONGEST_NAME,
    Hello,
    Published,
    acknowledgement,
    missed_indices,
)
from rig.families.spark_core.servers.connection import Connection
from rig.families.spark_core.servers.events import EventBus
from rig.formats.json_object import read_object

ANSWER_SECONDS = 10.0
#: No firmware of these years asked for more.
MOST_SUBSCRIPTIONS = 16
#: Token byte that the reference server's acknowledgements carry, whatever was asked.
NO_TOKEN = b"\0"
TYPES = {BOOLEAN: "bool", INTEGER: "int32", 4: "string", DOUBLE: "double"}

#: Sees what concerns an update before anybody else; answers whether it was for it.
UpdateListener = Callable[[Message], bool]


class Session:
    """One Core online. Requests raise LabFault when it goes offline meanwhile, DeviceFault when it does not answer."""

    def __init__(self, connection: Connection, core_id: str, hello: Hello, bus: EventBus, first_mid: int):
        self.connection, self.core_id, self.hello = connection, core_id, hello
        self.since = time.time()
        self.subscriptions: list[str] = []
        self.update_listener: UpdateListener | None = None
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._bus = bus
        self._mid, self._token = first_mid, 0
        self._waiting: dict[bytes, asyncio.Future[Message]] = {}
        self._described: dict[str, Any] | None = None
        self._asked_since = -1.0
        self._asked_mid: int | None = None

    # -- what the server sends -----------------------------------------------------------------------------------------

    def greet(self) -> None:
        """Hello: from here on the Core counts as online, and writes its flags page anew."""
        self.send(Type.NON, Code.POST, path(b"h"))
        self._bus.emit("hello-sent", self.core_id)

    def send(
        self, kind: Type, code: Code, options: tuple[tuple[int, bytes], ...] = (), payload: bytes | None = None
    ) -> tuple[int, bytes]:
        """Send a message of our own; returns its id and token."""
        self._mid = (self._mid + 1) % 0x10000
        self._token = self._token % 255 + 1
        token = bytes([self._token])
        self.connection.send(Message(kind, code, self._mid, token, options, payload).pack())
        return self._mid, token

    async def describe(self) -> dict[str, Any]:
        """Functions, and variables by type: `{"f": [...], "v": {name: "int32"}}`."""
        answer = await self._ask(Code.GET, path(b"d"))
        try:
            content = read_object((answer.payload or b"").decode("latin-1"))
            functions = list(map(str, content["f"]))
            variables = {str(name): TYPES.get(kind, str(kind)) for name, kind in dict(content["v"]).items()}
        except (ValueError, TypeError, KeyError) as error:
            raise DeviceFault("its description is no JSON with f and v", board=self.core_id) from error
        self._described = {"f": functions, "v": variables}
        return self._described

    async def variable(self, name: str) -> bool | int | float | str:
        """Value of a variable. Raises Misuse when there is none of that name."""
        _refuse_long(name, "a variable's name", LONGEST_FUNCTION_NAME)
        known = (self._described or await self.describe())["v"]
        if name not in known:
            raise Misuse(f"{self.core_id} has no variable {name!r}", hint=f"it has {', '.join(known) or 'none'}")
        answer = await self._ask(Code.GET, path(b"v", name.encode("latin-1", "replace")))
        try:
            return _value(known[name], answer.payload or b"")
        except struct.error as error:
            raise DeviceFault(f"{name} is {known[name]}, but not as sent", board=self.core_id) from error

    async def call(self, name: str, argument: str = "") -> int:
        """Call a function; -1 also stands for one that does not exist."""
        _refuse_long(name, "a function's name", LONGEST_FUNCTION_NAME)
        if len(argument.encode("latin-1", "replace")) > LONGEST_ARGUMENT:
            raise Misuse(f"an argument has {LONGEST_ARGUMENT} bytes at most: a Core hangs up on a longer one")
        options = (
            *path(b"f", name.encode("latin-1", "replace")),
            (int(Option.URI_QUERY), argument.encode("latin-1", "replace")),
        )
        answer = await self._ask(Code.POST, options, later=True)
        if len(answer.payload or b"") != 4:
            raise DeviceFault(f"{name} returned {len(answer.payload or b'')} bytes", board=self.core_id)
        return int(struct.unpack(">i", answer.payload or b"")[0])

    async def signal(self, on: bool) -> None:
        """Let the LED shout rainbows, or stop it."""
        await self._ask(Code.PUT, (*path(b"s"), (int(Option.URI_QUERY), bytes([on]))))

    async def ping(self) -> float:
        """Seconds until it answered."""
        began = time.monotonic()
        mid, _ = self.send(Type.CON, Code.EMPTY)
        await self._wait_for(b"ping" + mid.to_bytes(2, "big"), "a ping")
        return time.monotonic() - began

    def ask_whether_there(self, since: float) -> None:
        """Send a ping that nobody waits for, unless one was sent already in the silence that goes on since then."""
        if self._asked_since != since:
            self._asked_since = since
            self._asked_mid, _ = self.send(Type.CON, Code.EMPTY)

    def send_event(self, name: str, data: str | None) -> bool:
        """Hand an event on, if the Core asked for such; answers whether it did."""
        if not any(name.startswith(prefix) for prefix in self.subscriptions):
            return False
        _refuse_long(name, "an event's name", LONGEST_NAME)
        if len(data or "") > LONGEST_DATA:
            raise Misuse(f"an event's data has {LONGEST_DATA} bytes at most")
        event = Published(name, data)
        segments = [part.encode("latin-1", "replace") for part in name.split("/")]
        self._mid = (self._mid + 1) % 0x10000
        options = (*path(b"e", *segments), (int(Option.MAX_AGE), bytes([event.ttl])))
        payload = None if data is None else data.encode("latin-1", "replace")
        self.connection.send(Message(Type.NON, Code.POST, self._mid, b"", options, payload).pack())
        return True

    # -- what the Core sends -------------------------------------------------------------------------------------------

    def received(self, message: Message) -> None:
        """A message came."""
        if message.type == Type.ACK and message.mid == self._asked_mid:
            self._asked_mid = None  # it is there: to an update its silence goes on
            return
        if self.update_listener is not None and self.update_listener(message):
            return
        match message.type, message.code, message.path:
            case Type.CON, Code.EMPTY, _:
                self.connection.send(acknowledgement(message.mid, token=NO_TOKEN))
            case _, Code.POST, b"e" | b"E":
                self._event(message)
            case _, Code.GET, b"e" | b"E":
                self._subscribe("/".join(part.decode("latin-1") for part in message.values(Option.URI_PATH)[1:]))
                self.connection.send(acknowledgement(message.mid, token=NO_TOKEN))
            case Type.CON, Code.GET, b"t":
                now = int(time.time()).to_bytes(4, "big")
                self.connection.send(acknowledgement(message.mid, Code.CONTENT, message.token, now))
            case Type.CON, Code.GET, b"c":
                self.connection.send(acknowledgement(message.mid))
            case Type.ACK, Code.EMPTY, _:
                self._answered(b"ping" + message.mid.to_bytes(2, "big"), message)
            case Type.ACK | Type.NON, _, b"":
                self._answered(message.token + (b"later" if message.type == Type.NON else b""), message)

    def lost(self, reason: str) -> None:
        """The connection is over: so is every question."""
        if not self.over.done():
            self.over.set_result(reason)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LabFault(f"went offline: {reason}", board=self.core_id))
        self._waiting.clear()

    def to_dict(self) -> dict[str, Any]:
        """For a list."""
        return {
            "core": self.core_id,
            "online": not self.over.done(),
            "since": round(self.since, 3),
            "peer": self.connection.peer,
            "product": self.hello.product,
            "version": self.hello.version,
            "updated": self.hello.updated,
            "platform": self.hello.platform,
            "updating": self.update_listener is not None,
        }

    def _subscribe(self, prefix: str) -> None:
        if prefix not in self.subscriptions and len(self.subscriptions) < MOST_SUBSCRIPTIONS:
            self.subscriptions.append(prefix)

    def _event(self, message: Message) -> None:
        """As the reference server does, ordinary events are acknowledged as bad requests: no Core takes notice."""
        event = Published.unpack(message)
        code = Code.EMPTY if event.name.startswith("spark") else Code.BAD_REQUEST
        self.connection.send(acknowledgement(message.mid, code, NO_TOKEN))
        self._bus.emit("published", self.core_id, name=event.name, data=event.data, public=event.public, ttl=event.ttl)

    async def _ask(self, code: Code, options: tuple[tuple[int, bytes], ...], *, later: bool = False) -> Message:
        """Send a request and wait for its answer; one that comes `later` has an id of its own."""
        _, token = self.send(Type.CON, code, options)
        return await self._wait_for(token + (b"later" if later else b""), "a request")

    async def _wait_for(self, key: bytes, what: str) -> Message:
        if self.over.done():
            raise LabFault(f"is offline: {self.over.result()}", board=self.core_id)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            raise DeviceFault(f"does not answer {what} within {ANSWER_SECONDS:.0f} s", board=self.core_id) from None
        finally:
            self._waiting.pop(key, None)

    def _answered(self, key: bytes, message: Message) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


def indices_missed(message: Message) -> list[int] | None:
    """The indices of a ChunkMissed, None for any other message."""
    if message.code != Code.GET or message.path != b"c":
        return None
    try:
        return missed_indices(message.payload or b"")
    except Malformed:
        return None


def _value(kind: str, payload: bytes) -> bool | int | float | str:
    match kind:
        case "bool":
            return bool(struct.unpack(">B", payload)[0])
        case "int32":
            return int(struct.unpack(">i", payload)[0])
        case "double":
            return float(struct.unpack("<d", payload)[0])
    return payload.decode("latin-1")


def _refuse_long(name: str, what: str, longest: int) -> None:
    """A Core reads the length of a function's or variable's name from four bits: a longer name is read as another."""
    size = len(name.encode("latin-1", "replace"))
    if not 0 < size <= longest:
        raise Misuse(f"{what} has 1 to {longest} bytes, {name[:64]!r} has {size}")
