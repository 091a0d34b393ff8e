"""Update servers in memory: a board asks them over TLS, by their names, as it asks real ones. No socket is opened."""

from __future__ import annotations

import re
import ssl
from collections import deque
from urllib.parse import parse_qsl

from rig.boards.server_log import ServerLog
from rig.families.esp32.twin.board import Esp32
from rig.servers.https.check_in import read_check_in
from rig.trust.identity import Identity
from rig.trust.tls.context import TlsSettings, load_identity
from rig.trust.tls.handshake import received_alert
from rig.twin.network import UNKNOWN

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_ENOUGH = 1 << 20


class Shown:
    """What whoever dials a host meets."""

    def __init__(self, identity: Identity, settings: TlsSettings):
        self.fingerprint = identity.fingerprint
        self._identity, self._begins = load_identity(identity, settings), settings.context()

    def begin(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """The server's side of one handshake."""
        tls = self._begins.wrap_bio(incoming, outgoing, server_side=True)
        tls.context = self._identity
        return tls


class ServersInMemory:
    """Servers by host, for one board at a time. A new connection meets what its host shows now; others go on.

    `offer` is an image for whoever asks, until it is installed.
    """

    def __init__(self) -> None:
        self.seen = ServerLog()
        self.offer: bytes | None = None
        #: After so many bytes of the next body that has more, it is held back.
        self.hold_at: int | None = None
        self._shown: dict[str, Shown] = {}
        self._orders: deque[tuple[str, object]] = deque()
        self._connection: _Connection | None = None

    def show(self, host: str, identity: Identity, settings: TlsSettings | None = None) -> None:
        """From the next handshake on."""
        self._shown[host] = Shown(identity, settings or TlsSettings())

    def order(self, order: str, what: object) -> None:
        """What the board asks of its network; it happens when the board is not at work."""
        self._orders.append((order, what))

    def serve(self, board: Esp32) -> bool:
        """Do one thing that the board has asked for; False when there is none."""
        if not self._orders:
            return False
        order, what = self._orders.popleft()
        if order == "connect":
            assert isinstance(what, tuple)
            self._connect(board, what[0])
        elif order == "send" and self._connection is not None:
            assert isinstance(what, bytes)
            self._answer(board, self._connection.receive(what))
        elif order in ("close", "vanish") and self._connection is not None:
            self._connection.left()
            self._connection = None
        return True

    @property
    def holds(self) -> bool:
        """Whether a body has come as far as it is held back at."""
        return self._connection is not None and bool(self._connection.held)

    def let_go(self, board: Esp32) -> None:
        """Send what was held back."""
        assert self._connection is not None, "somebody is connected"
        self._answer(board, self._connection.go_on())

    def _connect(self, board: Esp32, host: str) -> None:
        if host not in self._shown:
            board.network("lost", UNKNOWN, board.time)
            return
        if any(event.name == "update-installed" for event in board.events):
            self.offer = None
        self._connection = _Connection(host, self._shown[host], self)
        board.network("open", b"", board.time)

    def _answer(self, board: Esp32, answer: bytes) -> None:
        connection, has_left = self._connection, any(order != "send" for order, _ in self._orders)
        if answer and not has_left:
            board.network("data", answer, board.time)
        if connection is not None and connection.over:
            self._connection = None
            if not has_left:  # else its next connection would be lost
                board.network("lost", b"", board.time)

    def sent_of(self, body: bytes) -> int:
        """How many bytes of a body are sent at once."""
        if self.hold_at is None or len(body) <= self.hold_at:
            return len(body)
        hold_at, self.hold_at = self.hold_at, None
        return hold_at


class _Connection:
    """The server's side of one TLS connection, and the HTTP on it."""

    def __init__(self, host: str, shown: Shown, servers: ServersInMemory):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = shown.begin(self._incoming, self._outgoing)
        self._host, self._servers = host, servers
        self._handshake = {"host": host, "identity": shown.fingerprint, "outcome": "hung-up", "alert": None}
        self._established = self._last = False
        self._request = self.held = b""
        #: Whether it hangs up: a handshake failed, or the client asked for no more than one answer.
        self.over = False

    def receive(self, data: bytes) -> bytes:
        """What goes back for what came."""
        if self.over:
            return b""
        self._incoming.write(data)
        try:
            if not self._established:
                self._tls.do_handshake()
                self._established = True
                self._ended("completed")
            while asked := self._tls.read(_ENOUGH):
                self._ask(asked)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(error)
        return self._outgoing.read()

    def go_on(self) -> bytes:
        """What was held back."""
        held, self.held = self.held, b""
        self._tls.write(held)
        self.over = self._last
        return self._outgoing.read()

    def left(self) -> None:
        """The client is gone."""
        if not (self._established or self.over):
            self._ended("hung-up")

    def _fail(self, error: ssl.SSLError) -> None:
        self.over = True
        if not self._established:
            alert = received_alert(error)
            self._ended("refused" if alert is None else "aborted", None if alert is None else alert.name)

    def _ended(self, outcome: str, alert: str | None = None) -> None:
        self._servers.seen.handshakes.append({**self._handshake, "outcome": outcome, "alert": alert})

    # -- HTTP --------------------------------------------------------------------------------------------------------

    def _ask(self, asked: bytes) -> None:
        self._request += asked
        while b"\r\n\r\n" in self._request:
            head, _, self._request = self._request.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            method, target, version = first.split(" ", 2)
            self._last = version == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
            image = self._servers.offer
            self._note(method, target, headers, 304 if image is None else 200)
            head_back, body = _answer(image, method, headers)
            sent = self._servers.sent_of(body)
            self._tls.write(head_back + body[:sent])
            self.held = body[sent:]
            self.over = self._last and not self.held

    def _note(self, method: str, target: str, headers: dict[str, str], status: int) -> None:
        self._servers.seen.requests.append({"host": self._host, "method": method, "path": target})
        path, _, query = target.partition("?")
        check_in = read_check_in(path, dict(parse_qsl(query)), headers)
        if check_in is not None:
            self._servers.seen.check_ins.append((check_in.version or "", status))


def _answer(image: bytes | None, method: str, headers: dict[str, str]) -> tuple[bytes, bytes]:
    """The whole image, or as much of it as was asked for; a HEAD tells its length. None: there is nothing new."""
    if image is None:
        return b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n", b""
    status, more = b"200 OK", b""
    first, last = 0, len(image) - 1
    if match := _RANGE.match(headers.get("range", "")):
        first, last = int(match[1]), min(int(match[2] or last), last)
        status, more = b"206 Partial Content", b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, len(image))
    body = image[first : last + 1]
    told = b"HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n%s\r\n"
    return told % (status, len(body), more), b"" if method == "HEAD" else body
