"""TLS heartbeats as a client asks for them (RFC 6520), and whether a server answers with more than it was given.

Bytes in, bytes out; `rig.trust.probe.heartbleed` carries them. Nothing is encrypted: heartbeats may be sent before a
handshake has keys, and this one ends at the server's hello.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from rig.formats.tls_records import (
    ALERT,
    CLIENT_HELLO,
    HANDSHAKE,
    HOST_NAME,
    SERVER_NAME,
    Alert,
    Malformed,
    Record,
    RecordReader,
    _Fields,
)

HEARTBEAT_RECORD, HEARTBEAT_EXTENSION = 24, 15
REQUEST, RESPONSE = 1, 2
PEER_ALLOWED_TO_SEND = 1
SERVER_HELLO, SERVER_HELLO_DONE = 2, 14
#: A heartbeat message: its kind, the length of its payload, and at least so much padding (RFC 6520 §4).
HEADER, SHORTEST_PADDING = 3, 16
#: A server's hello, its certificates and the rest are never more than this.
LONGEST_FLIGHT = 256 * 1024
FATAL = 2

#: Suites whose server shows a certificate, of every kind of exchange: none is ever used.
SUITES = (
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xC009, 0xC013, 0xC00A, 0xC014, 0xC008, 0xC012, 0xC007, 0xC011),
    *(0x009E, 0x009F, 0x0033, 0x0039, 0x0016, 0x009C, 0x009D, 0x003C, 0x002F, 0x0035, 0x000A, 0x0005),
)
GROUPS = (29, 23, 24, 25)
SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201)


class Heartbeats(enum.StrEnum):
    """What a server makes of heartbeats. `SILENT`: it says that it answers them, and answered none."""

    NONE = "none"
    CORRECT = "correct"
    SILENT = "silent"
    VULNERABLE = "vulnerable"


class HeartbeatTest:
    """A client up to the server's hello, and then two heartbeats in one go: a wrong one and a right one.

    The wrong one says that its payload is as long as payload and padding together. Who answers it does not compare
    that length with the record's (CVE-2014-0160, "Heartbleed"). It is harmless: what a leaking server sends too much is
    the padding we have just sent it, and not one byte of its own memory is asked for, sent or kept. The right one is
    for those who drop the wrong one in silence, as they must: its answer says so without a wait.

    `random` are 32 bytes of a hello, then two payloads, then padding: 96 bytes.
    """

    def __init__(self, name: str | None, random: bytes):
        if len(random) != 96:
            raise ValueError("96 bytes of random are needed")
        self.verdict: Heartbeats | None = None
        #: The alert a server ended it with before its hello was over.
        self.alert: Alert | None = None
        self._payload, self._second, self._padding = random[32:48], random[48:64], random[64:80]
        self._sending = bytearray(_record(HANDSHAKE, 0x0301, _client_hello(name, random[:32])))
        self._records = RecordReader()
        self._messages = bytearray()
        self._received = 0
        self._version = 0x0301
        #: Whether the server's hello is over: what it says now is an answer.
        self.is_asking = False

    def to_send(self) -> bytes:
        """What is to be sent now."""
        sent, self._sending = bytes(self._sending), bytearray()
        return sent

    def feed(self, data: bytes) -> None:
        """Bytes of the server's, until there is a verdict. Raises Malformed for what is no TLS, and for no end."""
        self._received += len(data)
        if self._received > LONGEST_FLIGHT:
            raise Malformed(f"more than {LONGEST_FLIGHT // 1024} KiB and no end of the server's hello")
        for record in self._records.feed(data):
            if self.verdict is not None:
                return
            self._take(record)

    def ended(self) -> None:
        """The server has hung up, or was silent for long enough."""
        if self.verdict is None and self.is_asking:
            self.verdict = Heartbeats.SILENT

    def _take(self, record: Record) -> None:
        if record.kind == ALERT and record.fragment[:1] == bytes([FATAL]):
            self.alert = Alert(record.fragment[1]) if len(record.fragment) > 1 else None
            self.verdict = Heartbeats.SILENT if self.is_asking else Heartbeats.NONE
        elif record.kind == HANDSHAKE and not self.is_asking:
            self._messages += record.fragment
            self._read_messages()
        elif record.kind == HEARTBEAT_RECORD and self.is_asking:
            self._judge(record.fragment)

    def _read_messages(self) -> None:
        while len(self._messages) >= 4 and self.verdict is None:
            kind, end = self._messages[0], 4 + int.from_bytes(self._messages[1:4], "big")
            if end > LONGEST_FLIGHT:
                raise Malformed(f"a handshake message of {end} bytes")
            if len(self._messages) < end:
                return
            body = bytes(self._messages[4:end])
            del self._messages[:end]
            if kind == SERVER_HELLO:
                self._version, answers = read_server_hello(body)
                if not answers:
                    self.verdict = Heartbeats.NONE
            elif kind == SERVER_HELLO_DONE:
                self.is_asking = True
                wrong = heartbeat(self._payload, self._padding, len(self._payload) + len(self._padding))
                right = heartbeat(self._second, self._padding)
                self._sending += _record(HEARTBEAT_RECORD, self._version, wrong)
                self._sending += _record(HEARTBEAT_RECORD, self._version, right)

    def _judge(self, message: bytes) -> None:
        """The first answer tells: a server answers in the order it was asked."""
        if len(message) < HEADER or message[0] != RESPONSE:
            return
        length = int.from_bytes(message[1:3], "big")
        if length > len(self._payload):
            self.verdict = Heartbeats.VULNERABLE
        elif message[HEADER : HEADER + length] == self._second:
            self.verdict = Heartbeats.CORRECT


def heartbeat(payload: bytes, padding: bytes, claimed: int | None = None, kind: int = REQUEST) -> bytes:
    """A heartbeat message, of a payload of `claimed` bytes as it says; its true length where none is told."""
    length = len(payload) if claimed is None else claimed
    return bytes([kind]) + length.to_bytes(2, "big") + payload + padding


def read_server_hello(body: bytes) -> tuple[int, bool]:
    """The version that was chosen, and whether the server takes heartbeats. Raises Malformed."""
    fields = _Fields(body)
    version = fields.number(2)
    fields.take(32)
    fields.vector(1)
    fields.take(3)
    extensions = _Fields(fields.vector(2) if fields.left else b"")
    found = False
    while extensions.left:
        kind, content = extensions.number(2), extensions.vector(2)
        found = found or (kind == HEARTBEAT_EXTENSION and content == bytes([PEER_ALLOWED_TO_SEND]))
    return version, found


def _client_hello(name: str | None, random: bytes) -> bytes:
    """Up to TLS 1.2, with the heartbeat extension: servers that leak know nothing newer."""
    extensions = b"".join(
        (
            _extension(SERVER_NAME, _vector(2, bytes([HOST_NAME]) + _vector(2, name.encode("ascii")))) if name else b"",
            _extension(10, _vector(2, _numbers(GROUPS))),
            _extension(11, b"\x01\x00"),
            _extension(13, _vector(2, _numbers(SIGNATURES))),
            _extension(HEARTBEAT_EXTENSION, bytes([PEER_ALLOWED_TO_SEND])),
            _extension(0xFF01, b"\x00"),
        )
    )
    body = b"\x03\x03" + random + b"\x00" + _vector(2, _numbers(SUITES)) + b"\x01\x00" + _vector(2, extensions)
    return bytes([CLIENT_HELLO]) + _vector(3, body)


def _record(kind: int, version: int, fragment: bytes) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + _vector(2, fragment)


def _extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(2, content)


def _numbers(numbers: Sequence[int]) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content
