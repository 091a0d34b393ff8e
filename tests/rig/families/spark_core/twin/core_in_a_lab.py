"""A Core in memory whose cloud is the test: it sees every connection, message and datagram, and answers as it likes."""

from __future__ import annotations

from functools import cache

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.cipher import Opener
from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.formats.core_key_der import read_core_key
from rig.families.spark_core.formats.handshake import BLOCK_SIZE, NONCE_SIZE, answer
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.trust.core_key import CoreKey, make_core_key
from rig.families.spark_core.trust.server_key import make_server_key, public_der
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.user_code import UserCode
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Eeprom, Radio
from rig.twin.tcp import Link
from tests.rig.families.spark_core.twin.checks_online import CREDENTIALS
from tests.rig.families.spark_core.twin.models import RUNNING_FLAGS

APP = (0x2000_5000).to_bytes(4, "little") + bytes(1000)
SERVER_KEY = make_server_key()
#: What a Core seals with that never had a key.
NO_KEY = bytes(16)


@cache
def core_key(number: int) -> CoreKey:
    """One of a few keys."""
    return make_core_key()


def memory() -> CoreMemory:
    """Flash of a Core that knows its server, and has an application that runs."""
    filled = CoreMemory()
    internal, external = bytearray(filled.internal.dump()), bytearray(filled.external.dump())
    for address, data in ((layout.FLAGS_ADDRESS, RUNNING_FLAGS), (layout.APP_ADDRESS, APP)):
        internal[address - layout.INTERNAL_BASE : address - layout.INTERNAL_BASE + len(data)] = data
    sector = ServerRecord(public_der(SERVER_KEY), "10.0.0.1").pack()
    for address, data in ((layout.SERVER_KEY_ADDRESS, sector), (layout.CORE_KEY_ADDRESS, core_key(0).private_der)):
        external[address : address + len(data)] = data
    filled.internal.load(bytes(internal))
    filled.external.load(bytes(external))
    return filled


class Lab:
    """The Core, and what it ordered of its radio: `sent` since the last connection, `orders` with their times."""

    def __init__(self, version: str, user: UserCode | None = None):
        self.orders: list[tuple[str, float]] = []
        self.sent: list[bytes] = []
        self.core = Core(
            memory(),
            lambda _area: Identity("in the lab", "ok"),
            time_scale=0,
            radio=Radio(Eeprom(profiles=["lab"], mac="08:00:28:01:02:03")),
            dialect=Dialect.of(version),
            user_code=user or UserCode(),
        )
        self.core.radio.on_order = self._ordered
        self.core.power_on(0)

    def _ordered(self, order, what):
        self.orders.append((order, self.core.time))
        if order == "connect":
            self.sent.clear()
        if order == "send":
            self.sent.append(what)

    def connect(self) -> None:
        """Wait until it connects, and let it."""
        while self.core.radio.link is not Link.CONNECTING:
            assert self.core.step(), "the Core does not connect"
        self.core.network("open", b"", self.core.time)

    def shake_hands(self, key: CoreKey | None = None) -> None:
        """Give it the server's part of a handshake, made for its key or for another."""
        self.data(bytes(NONCE_SIZE))
        public = read_public(key or core_key(0))
        self.data(answer(SERVER_KEY, public, CREDENTIALS))

    def come_online(self) -> list[Message]:
        """A connection and a handshake; returns what the Core says then."""
        self.connect()
        self.shake_hands()
        return self.said()

    def say(self, plain: bytes) -> None:
        """Say the first thing of this connection."""
        self.data(CREDENTIALS.sealer().seal(plain))

    def data(self, data: bytes) -> None:
        self.core.network("data", data, self.core.time)
        self.pass_time(0.001)

    def lose(self) -> None:
        """The connection is gone."""
        self.core.network("lost", b"", self.core.time)

    def pass_time(self, seconds: float) -> None:
        self.core.advance(self.core.time + seconds)

    def said(self, opener: Opener | None = None) -> list[Message]:
        """All it has said on this connection after its block."""
        frames = [frame for frame in self.sent if len(frame) != BLOCK_SIZE]
        opener = opener or CREDENTIALS.opener()
        return [Message.parse(opener.open(frame[2:])) for frame in frames]

    def said_without_a_key(self) -> list[Message]:
        """The same, by a Core that never had a session."""
        return self.said(Opener(NO_KEY, NO_KEY))

    def times(self, order: str) -> list[float]:
        """When it ordered something of its radio."""
        return [at for what, at in self.orders if what == order]


def read_public(key: CoreKey):
    from cryptography.hazmat.primitives import serialization

    return serialization.load_der_public_key(read_core_key(key.private_der).public_der)


def server_hello() -> bytes:
    return Message(Type.NON, Code.POST, 1, b"\1", path(b"h")).pack()


def brief(messages: list[Message]) -> list[str]:
    """Messages by what they are about: `h`, `t`, `e:spark`, `E:spark/…`, `ping`."""
    told = []
    for message in messages:
        segments = [value.decode() for number, value in message.options if number == 11]
        told.append(":".join(segments) if segments else "ping" if message.code == 0 else hex(message.code))
    return told
