"""A device's TLS client without sockets: bytes in, bytes out. By mbedTLS, with the versions and suites of ESP-IDF.

The protocol is mbedTLS's own; the chain is judged by rig.formats.certificate_chain, since its build checks dates and a
device's does not. Up to TLS 1.2 a server sends its chain in the clear: what the client would answer to it is held back
until the verdict, and a refusal is the alert that mbedTLS sends, at the same place of the handshake.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from rig.errors import LabFault
from rig.families.esp32.firmware.behaviour import DEFAULT_TLS, TlsBuild
from rig.families.esp32.formats.idf_client import DHE, OLD_TLS
from rig.families.esp32.twin.app.server_flight import ServerFlight
from rig.formats.certificate_chain import Trust
from rig.formats.certificate_refusal import BUNDLE_REFUSED, Refusal
from rig.formats.tls_records import ALERT, ALERTS

#: Key exchanges and ciphers of ESP-IDF's default configuration (mbedtls/Kconfig): no ChaCha, DHE before 5.0.
ECDSA, DHE_RSA = "TLS-ECDHE-ECDSA-", "TLS-DHE-RSA-"
KEY_EXCHANGES = (ECDSA, "TLS-ECDHE-RSA-", "TLS-RSA-")
CIPHERS = ("WITH-AES-256-GCM-", "WITH-AES-256-CCM", "WITH-AES-256-CBC-", "WITH-AES-128-GCM-", "WITH-AES-128-CCM",
           "WITH-AES-128-CBC-")  # fmt: skip
FATAL = 2
#: What is put into the engine at a time: its buffers are of 32 KiB.
PIECE = 4096
LONGEST_READ = 16 * 1024
#: A device's own buffer for records it sends (§6.2).
LONGEST_RECORD_OUT = 4096

#: Errors of mbedTLS that say something of their own here; others are shown by their number.
BAD_CERTIFICATE = -0x7A00
UNPARSABLE_CERTIFICATE = -0x2180
CONNECTION_ENDED = -0x7280
CLOSED_BY_PEER = -0x7880
FATAL_ALERT = -0x7780


@dataclass
class TlsFailed(Exception):
    """The connection cannot be used: mbedTLS's error, and why the chain was refused if that was it."""

    code: int
    refusal: Refusal | None = None
    #: The alert that the server sent.
    alert: int | None = None

    def __str__(self) -> str:
        text = f"-0x{-self.code:04X}"
        if self.alert is not None:
            text += f", the server sent {ALERTS.get(self.alert, self.alert)}"
        return text

    @property
    def lines(self) -> list[str]:
        """What ESP-IDF prints of it (§6.2)."""
        lines = [f"E esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x{-self.code:04X}"]
        if self.refusal is None:
            return lines
        if self.code == BUNDLE_REFUSED:
            return ["E esp-x509-crt-bundle: No matching trusted root certificate found", *lines]
        return [*lines, "I esp-tls-mbedtls: Failed to verify peer certificate!"]


class TlsClient:
    """One connection's TLS. `outgoing` is what has to be sent, `plain` what the server said."""

    def __init__(self, name: str, trust: Trust, build: TlsBuild = DEFAULT_TLS):
        """Raises TlsFailed for a name that mbedTLS does not take."""
        self.outgoing = bytearray()
        self.plain = bytearray()
        self.established = False
        #: Nothing more comes: the server said goodbye, or what it sent broke the connection.
        self.ended = self.said_goodbye = self.broken = False
        self._trust = trust
        self._seen = ServerFlight()
        self._verified = False
        self._engine = _engine(name, build)
        self._step()

    @property
    def cipher(self) -> str | None:
        """The suite agreed on, by mbedTLS's name."""
        name: str | None = self._engine.cipher()
        return name

    def receive(self, data: bytes) -> None:
        """Take what came from the server. Raises TlsFailed; `outgoing` then holds the alert for it."""
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            if self.established:
                self._engine.receive_from_network(piece)
                self._read()
            else:
                self._shake_hands(piece)

    def send(self, plain: bytes) -> None:
        """Encrypt `plain` into `outgoing`. Raises TlsFailed."""
        for at in range(0, len(plain), LONGEST_RECORD_OUT):
            try:
                self._engine.write(plain[at : at + LONGEST_RECORD_OUT])
            except Exception as error:
                raise TlsFailed(_code(error)) from error
            self._collect()

    def close(self) -> None:
        """Say goodbye."""
        if self.established and not self.ended:
            with contextlib.suppress(Exception):
                self._engine.shutdown()
            self._collect()

    def _shake_hands(self, piece: bytes) -> None:
        self._seen.feed(piece)
        held_back = len(self.outgoing)
        self._engine.receive_from_network(piece)
        try:
            self._step()
        finally:
            self._judge(held_back)
        if self.established:
            self._read()

    def _judge(self, held_back: int) -> None:
        """Refuse the chain once it is there: nothing that the engine had to say to it is sent."""
        if self._verified or self._seen.chain is None:
            return
        try:
            refusal = self._trust.refuses(self._seen.certificates(), self._seen.exchange)
        except Exception as error:  # whatever a server's certificates make a parser stumble over
            self._alert(held_back, _number("bad_certificate"))
            raise TlsFailed(UNPARSABLE_CERTIFICATE) from error
        if refusal is not None:
            self._alert(held_back, refusal.alert)
            raise TlsFailed(refusal.code, refusal)
        self._verified = True

    def _alert(self, held_back: int, number: int) -> None:
        del self.outgoing[held_back:]
        self.outgoing += bytes([ALERT, *self._seen.version, 0, 2, FATAL, number])
        self.established = False

    def _step(self) -> None:
        from mbedtls.tls import HandshakeStep, WantReadError, WantWriteError

        while self._engine._handshake_state is not HandshakeStep.HANDSHAKE_OVER:
            try:
                self._engine.do_handshake()
            except WantWriteError:
                self._collect()
            except WantReadError:
                self._collect()
                return
            except Exception as error:
                self._collect()
                raise TlsFailed(_code(error), alert=self._seen.alert) from error
        self._collect()
        if not self._seen.chain:
            raise TlsFailed(BAD_CERTIFICATE)
        self.established = True

    def _read(self) -> None:
        from mbedtls.tls import RaggedEOF, WantReadError, WantWriteError

        buffer = bytearray(LONGEST_READ)
        while not self.ended:
            try:
                count = self._engine.readinto(buffer, len(buffer))
            except (WantReadError, WantWriteError):
                break
            except RaggedEOF:
                self.ended = True
            except Exception as error:
                if _code(error) not in (CLOSED_BY_PEER, CONNECTION_ENDED):
                    raise TlsFailed(_code(error)) from error
                self.ended, self.said_goodbye = True, _code(error) == CLOSED_BY_PEER
            else:
                self.plain += buffer[:count]
        self._collect()

    def _collect(self) -> None:
        while waiting := self._engine.peek_outgoing(LONGEST_READ):
            self.outgoing += waiting
            self._engine.consume_outgoing(len(waiting))


def _number(name: str) -> int:
    return next(number for number, known in ALERTS.items() if known == name)


def _code(error: Exception) -> int:
    """mbedTLS's number; python-mbedtls keeps it without its sign."""
    number = getattr(error, "err", None)
    return -abs(number) if isinstance(number, int) else FATAL_ALERT


@cache
def suites(build: TlsBuild = DEFAULT_TLS) -> tuple[str, ...]:
    """The cipher suites a device offers, best first, by mbedTLS's names."""
    from mbedtls.tls import ciphers_available

    exchanges = tuple(one for one in KEY_EXCHANGES if build.ecdsa or one != ECDSA)
    if build.release.does(DHE):
        exchanges += (DHE_RSA,)
    return tuple(
        name
        for name in ciphers_available()
        if name.startswith(exchanges) and "PSK" not in name and any(cipher in name for cipher in CIPHERS)
    )


@cache
def _context(build: TlsBuild) -> Any:
    try:
        from mbedtls.tls import ClientContext, TLSConfiguration, TLSVersion
    except ImportError as error:
        raise LabFault(f"twins of ESP32s speak TLS by mbedTLS: {error}", hint="pip install python-mbedtls") from error
    return ClientContext(
        TLSConfiguration(
            validate_certificates=False,
            ciphers=suites(build),
            lowest_supported_version=TLSVersion.TLSv1 if build.release.does(OLD_TLS) else TLSVersion.TLSv1_2,
            highest_supported_version=TLSVersion.TLSv1_2,
        )
    )


def _engine(name: str, build: TlsBuild) -> Any:
    context = _context(build)
    try:
        return context.wrap_buffers(name)
    except Exception as error:
        raise TlsFailed(_code(error)) from error
