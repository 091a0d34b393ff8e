"""TLS as it looks from outside: record headers, the fields of a ClientHello, alerts that are not encrypted.

Nothing here computes or decrypts anything; layouts are those of RFC 5246, RFC 6066 and RFC 8446.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
CLIENT_HELLO = 1
#: A record's fragment: 2^14 bytes, and what encryption may add to it in TLS 1.2.
LONGEST_FRAGMENT = (1 << 14) + 2048
#: A ClientHello may be longer than a record; none of the field's is longer than this.
LONGEST_HELLO = 32 * 1024
SERVER_NAME, SESSION_TICKET, PRE_SHARED_KEY, SUPPORTED_VERSIONS = 0, 35, 41, 43
HOST_NAME = 0

VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}

#: Alerts by number (RFC 8446 §6, and those of RFC 5246 and before that clients still send).
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
ALERT_NUMBERS = {name: number for number, name in ALERTS.items()}


class Malformed(ValueError):
    """What came is no TLS."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert by its number; `name` is `alert-N` for one that no RFC names."""

    number: int

    @property
    def name(self) -> str:
        """As the RFCs write it."""
        return ALERTS.get(self.number, f"alert-{self.number}")

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its content type and its fragment."""

    kind: int
    fragment: bytes


class RecordReader:
    """Cuts a stream of bytes into records; holds less than one record."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that are whole by now. Raises Malformed at what cannot be one; nothing can be read after that."""
        self._buffer += data
        while len(self._buffer) >= 5:
            kind, length = self._buffer[0], int.from_bytes(self._buffer[3:5], "big")
            if not CHANGE_CIPHER_SPEC <= kind <= 24 or self._buffer[1] != 3 or length > LONGEST_FRAGMENT:
                raise Malformed(f"no TLS record begins with {bytes(self._buffer[:5]).hex()}")
            if len(self._buffer) < 5 + length:
                return
            fragment = bytes(self._buffer[5 : 5 + length])
            del self._buffer[: 5 + length]
            yield Record(kind, fragment)


class ClientRecords:
    """What a client's side of a handshake shows without any key: its hello, and an alert sent before encryption."""

    def __init__(self) -> None:
        self.hello: ClientHello | None = None
        self.alert: Alert | None = None
        self._records = RecordReader()
        self._messages = bytearray()
        self._encrypted = False

    def feed(self, data: bytes) -> None:
        """Take bytes as they came. Raises Malformed."""
        for record in self._records.feed(data):
            if record.kind == HANDSHAKE and self.hello is None:
                self._hello(record.fragment)
            elif record.kind == CHANGE_CIPHER_SPEC:
                self._encrypted = True
            elif record.kind == ALERT and not self._encrypted and self.alert is None and len(record.fragment) == 2:
                self.alert = Alert(record.fragment[1])

    def _hello(self, fragment: bytes) -> None:
        """A hello may come in many records."""
        self._messages += fragment
        if len(self._messages) < 4:
            return
        length = int.from_bytes(self._messages[1:4], "big")
        if self._messages[0] != CLIENT_HELLO or length > LONGEST_HELLO:
            raise Malformed(f"a handshake begins with a ClientHello, not with {bytes(self._messages[:4]).hex()}")
        if len(self._messages) >= 4 + length:
            self.hello = ClientHello.parse(bytes(self._messages[4 : 4 + length]))


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers: protocol versions and cipher suites by number, best first, and the name it dials.

    `offers_session` says whether it may go on with a session of before: one of TLS 1.3 often looks so and does not.
    """

    versions: tuple[int, ...]
    ciphers: tuple[int, ...]
    server_name: str | None
    offers_session: bool = False

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        """From a message's body (RFC 8446 §4.1.2). Raises Malformed."""
        fields = _Fields(body)
        legacy = fields.number(2)
        fields.take(32)
        session = fields.vector(1)
        ciphers = _numbers(fields.vector(2))
        fields.vector(1)
        extensions = dict(_extensions(fields.vector(2))) if fields.left else {}
        fields.end()
        versions = _offered(extensions.get(SUPPORTED_VERSIONS), legacy)
        offers_session = bool(session or extensions.get(SESSION_TICKET)) or PRE_SHARED_KEY in extensions
        return cls(versions, ciphers, _server_name(extensions.get(SERVER_NAME)), offers_session)


def version_name(number: int) -> str:
    """As OpenSSL writes it; hexadecimal for what has no name, such as GREASE."""
    return VERSIONS.get(number, f"0x{number:04x}")


def _extensions(block: bytes) -> Iterator[tuple[int, bytes]]:
    fields = _Fields(block)
    while fields.left:
        yield fields.number(2), fields.vector(2)


def _offered(extension: bytes | None, legacy: int) -> tuple[int, ...]:
    """A client that does not list versions takes any up to the one it names."""
    if extension is None:
        return tuple(number for number in sorted(VERSIONS, reverse=True) if number <= legacy)
    fields = _Fields(extension)
    numbers = _numbers(fields.vector(1))
    fields.end()
    return numbers


def _server_name(extension: bytes | None) -> str | None:
    """The first host name of the list, in lower case (RFC 6066 §3)."""
    if not extension:
        return None
    names = _Fields(_Fields(extension).vector(2))
    while names.left:
        kind, name = names.number(1), names.vector(2)
        if kind == HOST_NAME:
            return name.decode("ascii", "backslashreplace").lower()
    return None


def _numbers(block: bytes) -> tuple[int, ...]:
    if len(block) % 2:
        raise Malformed("half a number at the end of a list")
    return tuple(int.from_bytes(block[start:end], "big") for start, end in pairwise(range(0, len(block) + 1, 2)))


class _Fields:
    """Reads fields off the front of a block."""

    def __init__(self, block: bytes):
        self._block, self._at = block, 0

    @property
    def left(self) -> int:
        return len(self._block) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Malformed(f"a field of {count} bytes where {self.left} are left")
        self._at += count
        return self._block[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def end(self) -> None:
        if self.left:
            raise Malformed(f"{self.left} bytes too many")
