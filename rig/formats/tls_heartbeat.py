"""TLS heartbeats as a client asks for them (RFC 6520), and whether a server answers with more than it was given.

Bytes in, bytes out; `rig.trust.probe.heartbleed` carries them. Nothing is encrypted: heartbeats may be sent before a
handshake has keys, and this one ends at the server's hello.
"""

from __future__ import annotations

import enum

from rig.formats.tls_old_hello import HEARTBEAT_EXTENSION, PEER_ALLOWED_TO_SEND, TLS_1_0, WIDE, Hello, record
from rig.formats.tls_records import ALERT, HANDSHAKE, Alert, Malformed, Record, RecordReader, _Fields

HEARTBEAT_RECORD = 24
REQUEST, RESPONSE = 1, 2
SERVER_HELLO, SERVER_HELLO_DONE = 2, 14
#: A heartbeat message: its kind, the length of its payload, and at least so much padding (RFC 6520 §4).
HEADER, SHORTEST_PADDING = 3, 16
#: A server's hello, its certificates and the rest are never more than this.
LONGEST_FLIGHT = 256 * 1024
FATAL = 2


class Heartbeats(enum.StrEnum):
    """What a server makes of heartbeats. `SILENT`: it says that it answers them, and answered none. `NONE`: it has
    taken our hello, does not say so, and answered none.
    """

    NONE = "none"
    CORRECT = "correct"
    SILENT = "silent"
    VULNERABLE = "vulnerable"


class HeartbeatTest:
    """A client up to the server's hello, and then two heartbeats in one go: a wrong one and a right one.

    The wrong one says that its payload is as long as payload and padding together. Who answers it does not compare
    that length with the record's (CVE-2014-0160, "Heartbleed"). It is harmless: what a leaking server sends too much is
    the padding we have just sent it, and not one byte of its own memory is asked for, sent or kept. The right one is
    for those who drop the wrong one in silence, as they must: its answer says so without a wait. Who does not say that
    it takes heartbeats is asked too: OpenSSL 1.0.1 answers whoever sends one.

    `random` are 32 bytes of a hello, then two payloads, then padding: 96 bytes.
    """

    def __init__(self, name: str | None, random: bytes, hello: Hello = WIDE):
        if len(random) != 96:
            raise ValueError("96 bytes of random are needed")
        self.verdict: Heartbeats | None = None
        #: The alert a server ended it with before its hello was over; there is no verdict then.
        self.alert: Alert | None = None
        self._payload, self._second, self._padding = random[32:48], random[48:64], random[64:80]
        self._sending = bytearray(hello.record(name, random[:32]))
        self._records = RecordReader()
        self._messages = bytearray()
        self._received = 0
        self._version = TLS_1_0
        self._takes_heartbeats = False
        #: Whether the server's hello is over: what it says now is an answer.
        self.is_asking = False

    @property
    def is_over(self) -> bool:
        """Whether there is a verdict, or can be none."""
        return self.verdict is not None or self.alert is not None

    def to_send(self) -> bytes:
        """What is to be sent now."""
        sent, self._sending = bytes(self._sending), bytearray()
        return sent

    def feed(self, data: bytes) -> None:
        """Bytes of the server's, until it is over. Raises Malformed for what is no TLS, and for no end."""
        self._received += len(data)
        if self._received > LONGEST_FLIGHT:
            raise Malformed(f"more than {LONGEST_FLIGHT // 1024} KiB and no end of the server's hello")
        for one in self._records.feed(data):
            if self.is_over:
                return
            self._take(one)

    def ended(self) -> None:
        """The server has hung up, or was silent for long enough."""
        if self.verdict is None and self.is_asking:
            self.verdict = Heartbeats.SILENT if self._takes_heartbeats else Heartbeats.NONE

    def _take(self, one: Record) -> None:
        if one.kind == ALERT and one.fragment[:1] == bytes([FATAL]):
            if self.is_asking:
                self.ended()
            else:
                self.alert = Alert(one.fragment[1] if len(one.fragment) > 1 else 0)
        elif one.kind == HANDSHAKE and not self.is_asking:
            self._messages += one.fragment
            self._read_messages()
        elif one.kind == HEARTBEAT_RECORD and self.is_asking:
            self._judge(one.fragment)

    def _read_messages(self) -> None:
        while len(self._messages) >= 4 and not self.is_asking:
            kind, end = self._messages[0], 4 + int.from_bytes(self._messages[1:4], "big")
            if end > LONGEST_FLIGHT:
                raise Malformed(f"a handshake message of {end} bytes")
            if len(self._messages) < end:
                return
            body = bytes(self._messages[4:end])
            del self._messages[:end]
            if kind == SERVER_HELLO:
                self._version, self._takes_heartbeats = read_server_hello(body)
            elif kind == SERVER_HELLO_DONE:
                self.is_asking = True
                wrong = heartbeat(self._payload, self._padding, len(self._payload) + len(self._padding))
                right = heartbeat(self._second, self._padding)
                self._sending += record(HEARTBEAT_RECORD, self._version, wrong)
                self._sending += record(HEARTBEAT_RECORD, self._version, right)

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
