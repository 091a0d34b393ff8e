"""What a server says in the clear of a handshake up to TLS 1.2: its version and suite, its chain, and an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rig.formats.certificate_extensions import KeyExchange
from rig.formats.tls_records import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, Malformed, RecordReader

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SERVER_HELLO, CERTIFICATE = 2, 11
#: Suites with AES in which the server's key decrypts the secret (RFC 5246, 5288, 6655): no DHE, no ECDHE.
RSA_SUITES = frozenset((0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1))


class ServerFlight:
    """What the server says in the clear: its chain, and an alert."""

    def __init__(self) -> None:
        #: Certificates in DER, leaf first; None until they have come.
        self.chain: list[bytes] | None = None
        #: The protocol version of its records, and what its key does by the suite it has chosen.
        self.version = b"\x03\x03"
        self.exchange = KeyExchange.SIGNS
        self.alert: int | None = None
        self._records = RecordReader()
        self._messages = bytearray()
        self._over = False

    def feed(self, data: bytes) -> None:
        """Take what came; what is no TLS is the engine's to refuse."""
        if self._over:
            return
        try:
            for record in self._records.feed(data):
                if record.kind == HANDSHAKE and not self._over:
                    self._message(record.fragment)
                elif record.kind == ALERT and len(record.fragment) == 2:
                    self.alert = record.fragment[1]
                elif record.kind == CHANGE_CIPHER_SPEC:
                    self._over = True
        except Malformed:
            self._over = True

    def certificates(self) -> list[Certificate]:
        """The chain, parsed. Raises ValueError."""
        from cryptography import x509

        return [x509.load_der_x509_certificate(der) for der in self.chain or ()]

    def _message(self, fragment: bytes) -> None:
        self._messages += fragment
        while len(self._messages) >= 4:
            kind, length = self._messages[0], int.from_bytes(self._messages[1:4], "big")
            if len(self._messages) < 4 + length:
                return
            body = bytes(self._messages[4 : 4 + length])
            del self._messages[: 4 + length]
            if kind == SERVER_HELLO:
                self._hello(body)
            elif kind == CERTIFICATE and self.chain is None:
                self.chain = _ders(body)

    def _hello(self, body: bytes) -> None:
        """Version, random, the session's id, and the suite (RFC 5246 §7.4.1.3)."""
        at = 2 + 32 + 1 + body[34] if len(body) > 34 else len(body)
        if at + 2 <= len(body):
            self.version = body[:2]
            if int.from_bytes(body[at : at + 2], "big") in RSA_SUITES:
                self.exchange = KeyExchange.DECRYPTS


def _ders(body: bytes) -> list[bytes]:
    """Certificates of a Certificate message (RFC 5246 §7.4.2): each after three bytes of length."""
    ders, at = [], 3
    while at + 3 <= len(body):
        length = int.from_bytes(body[at : at + 3], "big")
        ders.append(body[at + 3 : at + 3 + length])
        at += 3 + length
    return ders
