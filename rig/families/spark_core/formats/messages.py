"""What a Spark Core and its cloud say to each other: the messages of core-communication-lib, byte for byte.

A Core takes byte 4 of a request for its token, so requests carry exactly one. Functions are grouped by who sends.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from rig.families.spark_core.formats.coap import Code, Malformed, Message, Option, Type, path

UNKNOWN = 0xFFFF
DEFAULT_TTL = 60
LONGEST_NAME = LONGEST_DATA = 63
LONGEST_FUNCTION_NAME, LONGEST_ARGUMENT = 12, 63
#: Types of variables, as Describe tells them.
BOOLEAN, INTEGER, STRING, DOUBLE = 1, 2, 4, 9
#: Names of those types in 0.4 and later stay numbers; older ones say the same numbers.
_BEGIN = struct.Struct(">BHIBI")
FAST = 1


@dataclass(frozen=True, slots=True)
class Hello:
    """What a Core says first: product, version, whether an update was just applied, its platform (None before 0.4)."""

    product: int = UNKNOWN
    version: int = UNKNOWN
    updated: bool = False
    platform: int | None = None

    def pack(self, mid: int) -> bytes:
        """The message."""
        body = struct.pack(">HHBB", self.product, self.version, 0, self.updated)
        tail = b"" if self.platform is None else struct.pack(">H", self.platform)
        return Message(Type.NON, Code.POST, mid, options=path(b"h"), payload=body + tail).pack()

    @classmethod
    def unpack(cls, message: Message) -> Hello:
        """Read it. Raises Malformed for anything else."""
        if message.code != Code.POST or message.path != b"h" or len(message.payload or b"") < 6:
            raise Malformed("the Core's first message is no Hello")
        product, version, _, flags = struct.unpack_from(">HHBB", message.payload or b"")
        tail = (message.payload or b"")[6:8]
        return cls(product, version, bool(flags & 1), int.from_bytes(tail, "big") if len(tail) == 2 else None)


@dataclass(frozen=True, slots=True)
class Published:
    """An event."""

    name: str
    data: str | None = None
    public: bool = True
    ttl: int = DEFAULT_TTL

    def pack(self, mid: int) -> bytes:
        """As a Core publishes it: the name is one segment, and data of no length still has its marker."""
        options = path(b"e" if self.public else b"E", self.name.encode("latin-1"))
        if self.ttl != DEFAULT_TTL:
            options += ((Option.MAX_AGE, self.ttl.to_bytes(3, "big")),)
        payload = None if self.data is None else self.data.encode("latin-1")
        return Message(Type.NON, Code.POST, mid, options=options, payload=payload).pack()

    @classmethod
    def unpack(cls, message: Message) -> Published:
        """Read it, whoever sent it. Raises Malformed."""
        segments = message.values(Option.URI_PATH)
        if len(segments) < 2:
            raise Malformed("an event without a name")
        ttl = next(iter(message.values(Option.MAX_AGE)), DEFAULT_TTL.to_bytes(1, "big"))
        name = b"/".join(segments[1:]).decode("latin-1")
        data = message.payload.decode("latin-1") if message.payload else None
        return cls(name, data, segments[0] == b"e", int.from_bytes(ttl, "big"))


@dataclass(frozen=True, slots=True)
class UpdateBegin:
    """What is going to be sent. Cores before 0.4 do not look at it."""

    size: int
    chunk_size: int
    fast: bool = False
    store: int = 0
    address: int = 0

    def pack(self) -> bytes:
        """The payload."""
        return _BEGIN.pack(FAST if self.fast else 0, self.chunk_size, self.size, self.store, self.address)

    @classmethod
    def unpack(cls, payload: bytes) -> UpdateBegin:
        """Read it. Raises Malformed."""
        if len(payload) != _BEGIN.size:
            raise Malformed(f"an UpdateBegin of {len(payload)} bytes")
        flags, chunk_size, size, store, address = _BEGIN.unpack(payload)
        return cls(size, chunk_size, bool(flags & FAST), store, address)


def chunk_options(data: bytes, index: int | None = None) -> tuple[tuple[int, bytes], ...]:
    """Path and queries of a chunk: the CRC as raw bytes, and in a fast update the chunk's index."""
    options = (*path(b"c"), (int(Option.URI_QUERY), zlib.crc32(data).to_bytes(4, "big")))
    return options if index is None else (*options, (int(Option.URI_QUERY), index.to_bytes(2, "big")))


def missed_indices(payload: bytes) -> list[int]:
    """The indices of a ChunkMissed. Raises Malformed."""
    if not payload or len(payload) % 2:
        raise Malformed(f"a ChunkMissed of {len(payload)} bytes")
    return [index for (index,) in struct.iter_unpack(">H", payload)]


# -- what a Core sends ------------------------------------------------------------------------------------------------


def acknowledgement(mid: int, code: int = Code.EMPTY, token: bytes = b"", payload: bytes | None = None) -> bytes:
    """An answer that reuses the id of what it answers."""
    return Message(Type.ACK, code, mid, token, (), payload).pack()


def answer(mid: int, token: bytes, code: int = Code.CHANGED, payload: bytes | None = None) -> bytes:
    """An answer that comes later, with an id of its own."""
    return Message(Type.NON, code, mid, token, (), payload).pack()


def ping(mid: int) -> bytes:
    """Is anybody there?"""
    return Message(Type.CON, Code.EMPTY, mid).pack()


def chunk_missed(mid: int, indices: list[int]) -> bytes:
    """Send these again."""
    payload = b"".join(index.to_bytes(2, "big") for index in indices)
    return Message(Type.CON, Code.GET, mid, options=path(b"c"), payload=payload).pack()


@dataclass(frozen=True, slots=True)
class Subscription:
    """Events whose names begin with `prefix`: everybody's, those of my owner's devices, or those of one device."""

    prefix: str
    mine: bool = False
    device: str | None = None

    def pack(self, mid: int) -> bytes:
        """The message."""
        name = self.prefix[:LONGEST_NAME].encode("latin-1")
        options = path(b"e", *([name] if name else []))
        if self.device is not None:
            device = self.device[:LONGEST_NAME].encode("latin-1")
            return Message(Type.CON, Code.GET, mid, options=options, payload=device).pack()
        if self.mine:
            options += ((int(Option.URI_QUERY), b"u"),)
        return Message(Type.CON, Code.GET, mid, options=options).pack()


def subscribe(mid: int, prefix: str) -> bytes:
    """Send me everybody's events whose names begin so."""
    return Subscription(prefix).pack(mid)


def time_request(mid: int, token: int) -> bytes:
    """What time is it?"""
    return Message(Type.CON, Code.GET, mid, bytes([token]), path(b"t")).pack()


def update_done_by_core(mid: int) -> bytes:
    """A fast update is whole."""
    return Message(Type.NON, Code.POST, mid, options=path(b"u")).pack()


def presence(core_id: bytes) -> bytes:
    """What a Core multicasts once it is online: 19 bytes."""
    return Message(Type.NON, Code.POST, 0, options=path(b"h"), payload=core_id).pack()
