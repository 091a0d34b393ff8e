"""A connection of a device's program: TCP, with TLS on it for https, and waits that end as a socket's do.

Generators over the board's TcpClient. Time-outs are a program's own and never scaled.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from dataclasses import dataclass

from rig.families.esp32.firmware.behaviour import DEFAULT_TLS, TlsBuild
from rig.families.esp32.twin.app import esp_error
from rig.families.esp32.twin.app.tls import CONNECTION_ENDED, TlsClient, TlsFailed
from rig.families.esp32.twin.steps import Board
from rig.formats.certificate_chain import Trust
from rig.twin.network import RESET, UNKNOWN
from rig.twin.steps import Listen, Step
from rig.twin.tcp import Link

#: How much is taken from the network at a time: what waits there holds the server back.
PIECE = 4096
#: A longer name has no address (RFC 1035 §2.3.4).
LONGEST_NAME = 253
#: Errors of sockets by newlib's numbers: ENOTCONN, ECONNRESET.
NOT_CONNECTED, RESET_BY_PEER = 128, 104


class Ending(enum.Enum):
    """How a server hung up: by close_notify, by FIN alone, or so that the connection is broken."""

    GOODBYE = "close_notify"
    FIN = "FIN"
    RESET = "RST"

    @property
    def errno(self) -> int:
        """What the device's socket has then; a close_notify leaves it alone (espressif/esp-idf#14724)."""
        return {Ending.GOODBYE: 0, Ending.FIN: NOT_CONNECTED, Ending.RESET: RESET_BY_PEER}[self]


class TimedOut(Exception):
    """Nothing came for as long as the program wanted to wait."""


class ConnectionFailed(Exception):
    """No connection came about: `code` is ESP-TLS's error, `lines` what the log says of it."""

    def __init__(self, code: int, lines: list[str], mbedtls: int = 0):
        super().__init__(f"0x{code:x}")
        self.code, self.lines, self.mbedtls = code, lines, mbedtls


class Connection:
    """An open connection to `name`; made by `connect`. `seconds` is how long it waits for anything to come."""

    def __init__(self, board: Board, name: str, seconds: float):
        self.name, self.seconds = name, seconds
        self._board, self._tcp = board, board.tcp
        self._tls: TlsClient | None = None

    def send(self, data: bytes) -> None:
        """Send; what a broken connection does not take is lost."""
        if self._tls is None:
            self._tcp.send(data)
            return
        try:
            self._tls.send(data)
        except TlsFailed:
            self._tls.ended = True
        self._flush(self._tls)

    def receive(self, seconds: float | None = None) -> Generator[Step, bool, bytes]:
        """What has come, at least a byte; nothing once the server has hung up. Raises TimedOut."""
        until = self._board.time + (self.seconds if seconds is None else seconds)
        while True:
            if data := self._take():
                return data
            if self._over():
                return b""
            if self._board.time >= until:
                raise TimedOut
            yield Listen(until - self._board.time)

    @property
    def ending(self) -> Ending | None:
        """How the server hung up; None while it is there, or what it sent is not all read."""
        if not self._over():
            return None
        if self._tls is not None and self._tls.said_goodbye:
            return Ending.GOODBYE
        is_broken = self._tcp.why == RESET or (self._tls is not None and self._tls.broken)
        return Ending.RESET if is_broken else Ending.FIN

    def close(self) -> None:
        """Hang up."""
        if self._tls is not None:
            self._tls.close()
            self._flush(self._tls)
        self._tcp.close()

    def secure(self, trust: Trust, build: TlsBuild) -> Generator[Step, bool, None]:
        """Shake hands by the TLS of such a build. Raises ConnectionFailed."""
        until = self._board.time + self.seconds
        try:
            self._tls = tls = TlsClient(self.name, trust, build)
        except TlsFailed as failure:
            raise _refused(failure) from failure
        self._flush(tls)
        while not tls.established:
            if self._tcp.received:
                self._shake_hands(tls)
            elif self._tcp.link is not Link.OPEN:
                raise _refused(TlsFailed(CONNECTION_ENDED))
            elif self._board.time >= until:
                line = "E esp-tls: Failed to open new connection in specified timeout"
                raise ConnectionFailed(esp_error.TLS_TIMEOUT, [line])
            else:
                yield Listen(until - self._board.time)

    def _shake_hands(self, tls: TlsClient) -> None:
        try:
            tls.receive(self._tcp.take(PIECE))
        except TlsFailed as failure:
            self._flush(tls)
            raise _refused(failure) from failure
        self._flush(tls)

    def _take(self) -> bytes:
        if self._tls is None:
            return self._tcp.take(PIECE)
        while not self._tls.plain and self._tcp.received and not self._tls.ended:
            try:
                self._tls.receive(self._tcp.take(PIECE))
            except TlsFailed:
                self._tls.ended = self._tls.broken = True
            self._flush(self._tls)
        data = bytes(self._tls.plain)
        self._tls.plain.clear()
        return data

    def _over(self) -> bool:
        return self._tcp.link is not Link.OPEN or (self._tls is not None and self._tls.ended)

    def _flush(self, tls: TlsClient) -> None:
        if tls.outgoing:
            self._tcp.send(bytes(tls.outgoing))
            tls.outgoing.clear()


@dataclass(frozen=True, slots=True)
class Security:
    """How a program secures its connections: whom it trusts for a host's name, and how its TLS was built."""

    trust: Callable[[str], Trust]
    build: TlsBuild = DEFAULT_TLS


def connect(
    board: Board, name: str, port: int, security: Security | None, seconds: float
) -> Generator[Step, bool, Connection]:
    """Open a connection, with TLS where there is `security`. Raises ConnectionFailed."""
    tcp = board.tcp
    if len(name) > LONGEST_NAME:
        board.event(f"no-connection:{name[:40]}:0x{esp_error.TLS_CANNOT_RESOLVE:x}")
        raise _not_open(name, Link.LOST, UNKNOWN)
    tcp.connect(name, port)
    until = board.time + seconds
    while tcp.link is Link.CONNECTING and board.time < until:
        yield Listen(until - board.time)
    connection = Connection(board, name, seconds)
    try:
        if tcp.link is not Link.OPEN:
            raise _not_open(name, tcp.link, tcp.why)
        if security is not None:
            yield from connection.secure(security.trust(name), security.build)
    except ConnectionFailed as failure:
        tcp.close()
        board.event(f"no-connection:{name}:0x{failure.code:x}")
        raise
    return connection


def _not_open(name: str, link: Link, why: bytes) -> ConnectionFailed:
    if link is Link.CONNECTING:
        return ConnectionFailed(esp_error.TLS_TIMEOUT, ["E esp-tls: [sock=54] select() timeout"])
    if why == UNKNOWN:
        line = f"E esp-tls: couldn't get hostname for :{name}: getaddrinfo() returns 202, addrinfo=0x0"
        return ConnectionFailed(esp_error.TLS_CANNOT_RESOLVE, [line])
    line = "E esp-tls: [sock=54] delayed connect error: Connection refused"
    return ConnectionFailed(esp_error.TLS_FAILED_CONNECT, [line])


def _refused(failure: TlsFailed) -> ConnectionFailed:
    return ConnectionFailed(esp_error.TLS_HANDSHAKE_FAILED, failure.lines, failure.code)
