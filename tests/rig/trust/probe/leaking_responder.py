"""A server that makes of heartbeats what OpenSSL did before and after April 2014, in front of one that does the rest.

To a client with the heartbeat extension it says a genuine hello up to ServerHelloDone, and answers its heartbeats;
every other client talks with the endpoint behind it. Like OpenSSL 1.0.1 it keeps a record where it was received, with
what lay there before behind it: that is what leaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Callable, Sequence

from cryptography.hazmat.primitives import serialization

from rig.formats.tls_heartbeat import HEADER, HEARTBEAT_RECORD, REQUEST, RESPONSE, SHORTEST_PADDING
from rig.formats.tls_records import ClientHello, Malformed, Record, RecordReader
from rig.trust.identity import Identity

SECRET = b"-----BEGIN RSA PRIVATE KEY-----"
AES128_SHA = 0x002F
HANDSHAKE_FAILURE, PROTOCOL_VERSION, UNRECOGNIZED_NAME = 40, 70, 112
HEARTBEATS_OFFERED = b"\x00\x0f\x00\x01\x01"
#: Takes the receive buffer and the length of the record at its front; the answer, or nothing.
Behaviour = Callable[[bytes, int], bytes | None]


def leaks(memory: bytes, _length: int) -> bytes | None:
    """Believes the length that the message tells (OpenSSL 1.0.1 to 1.0.1f)."""
    claimed = int.from_bytes(memory[1:3], "big")
    return bytes([RESPONSE]) + memory[1:3] + memory[HEADER : HEADER + claimed] + os.urandom(SHORTEST_PADDING)


def drops(memory: bytes, length: int) -> bytes | None:
    """Drops what claims more than it has room for (RFC 6520 §4)."""
    if HEADER + int.from_bytes(memory[1:3], "big") + SHORTEST_PADDING > length:
        return None
    return leaks(memory, length)


def cuts_short(memory: bytes, length: int) -> bytes | None:
    """Answers a wrong request with less than it asks for."""
    claimed = min(int.from_bytes(memory[1:3], "big"), length - HEADER - SHORTEST_PADDING)
    return bytes([RESPONSE]) + claimed.to_bytes(2, "big") + memory[HEADER : HEADER + claimed] + bytes(16)


def is_silent(_memory: bytes, _length: int) -> bytes | None:
    """Takes every heartbeat and answers none."""
    return None


def hello_flight(
    identity: Identity, version: int = 0x0303, *, heartbeats: bool = True, suite: int = AES128_SHA
) -> bytes:
    """ServerHello, Certificate and ServerHelloDone."""
    extensions = (HEARTBEATS_OFFERED if heartbeats else b"") + b"\xff\x01\x00\x01\x00"
    chosen = b"\x00" + suite.to_bytes(2, "big") + b"\x00"
    body = version.to_bytes(2, "big") + os.urandom(32) + chosen + _vector(2, extensions)
    certificates = b"".join(_vector(3, one.public_bytes(serialization.Encoding.DER)) for one in identity.chain)
    messages = b"\x02" + _vector(3, body) + b"\x0b" + _vector(3, _vector(3, certificates)) + b"\x0e\x00\x00\x00"
    pieces = [messages[start : start + 16384] for start in range(0, len(messages), 16384)]
    return b"".join(record(22, version, piece) for piece in pieces)


def record(kind: int, version: int, fragment: bytes) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + _vector(2, fragment)


@dataclasses.dataclass
class Takes:
    """Which hellos a server answers; the others it refuses with the alert that OpenSSL has for that, or by silence."""

    suites: Sequence[int] = ()
    #: The one version it speaks, and whether it refuses a client that knows newer ones.
    version: int = 0x0303
    is_intolerant: bool = False
    #: None: with a name and without one.
    named: bool | None = None
    #: Whoever sends a longer record hears nothing.
    longest: int = 1 << 14
    announces: bool = True

    def refusal(self, record: bytes, hello: ClientHello) -> int | None:
        """The alert for a hello; 0 for silence, None where it is answered."""
        if len(record) > self.longest:
            return 0
        newest = hello.versions[0]
        if newest < self.version or (self.is_intolerant and newest > self.version):
            return PROTOCOL_VERSION
        if self.named is not None and self.named is not (hello.server_name is not None):
            return UNRECOGNIZED_NAME
        return None if self.suite(hello) is not None else HANDSHAKE_FAILURE

    def suite(self, hello: ClientHello) -> int | None:
        if not self.suites:
            return AES128_SHA
        return next((one for one in hello.ciphers if one in self.suites), None)


class LeakingResponder:
    """What it is like can be changed while it runs: `identity`, `behaviour`; all it ever sent is `sent`."""

    def __init__(self, identity: Identity, behaviour: Behaviour | None = leaks, behind: int | None = None):
        self.identity, self.behaviour, self.behind = identity, behaviour, behind
        self.takes = Takes()
        self.sent, self.connections = b"", 0
        self._tasks: set[asyncio.Task] = set()

    @contextlib.asynccontextmanager
    async def serving(self, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, address, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            header = await reader.readexactly(5)
            hello = await reader.readexactly(int.from_bytes(header[3:], "big"))
            if self.behaviour is not None and HEARTBEATS_OFFERED in hello:
                await self._answer(hello, self.behaviour, reader, writer)
            elif self.behind is not None:
                await self._relay(header + hello, reader, writer)
        writer.close()

    async def _answer(
        self, hello: bytes, behave: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = ClientHello.parse(hello[4:])
        refusal = self.takes.refusal(hello, said)
        if refusal is not None:
            if refusal == 0:
                await reader.read()
            self._send(writer, record(21, 0x0301, bytes([2, refusal])))
            return
        memory, suite = bytearray(hello + SECRET * 2000), self.takes.suite(said) or 0
        flight = hello_flight(self.identity, self.takes.version, heartbeats=self.takes.announces, suite=suite)
        self._send(writer, flight)
        records = RecordReader()
        while data := await reader.read(4096):
            for one in records.feed(data):
                self._beat(behave, memory, one, writer)

    def _beat(self, behave: Behaviour, memory: bytearray, one: Record, writer: asyncio.StreamWriter) -> None:
        memory[: len(one.fragment)] = one.fragment
        is_asked = one.kind == HEARTBEAT_RECORD and one.fragment[:1] == bytes([REQUEST])
        if is_asked and (answer := behave(bytes(memory), len(one.fragment))) is not None:
            self._send(writer, record(HEARTBEAT_RECORD, self.takes.version, answer))

    def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.sent += data
        writer.write(data)

    async def _relay(self, hello: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Like OpenSSL's, it takes heartbeats from those too who did not say that they have any."""
        answers, asks = await asyncio.open_connection("127.0.0.1", self.behind)
        asks.write(hello)
        writer.write(await answers.read(65536))
        await asyncio.gather(self._forward(hello, reader, asks, writer), _pipe(answers, writer))

    async def _forward(
        self, hello: bytes, reader: asyncio.StreamReader, asks: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        memory, records = bytearray(hello + SECRET * 2000), RecordReader()
        with contextlib.suppress(OSError, Malformed):
            while data := await reader.read(65536):
                for one in records.feed(data):
                    if one.kind == HEARTBEAT_RECORD and self.behaviour is not None:
                        self._beat(self.behaviour, memory, one, writer)
                    else:
                        asks.write(record(one.kind, 0x0303, one.fragment))
        asks.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content
