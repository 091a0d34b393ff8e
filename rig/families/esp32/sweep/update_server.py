"""An update server in memory: one board asks it over TLS for one image, as it asks a real one. No socket is opened."""

from __future__ import annotations

import re
import ssl
from collections import deque

from rig.errors import Misuse
from rig.families.esp32.twin.board import Esp32
from rig.trust.authority import make_root
from rig.trust.identity import pem
from rig.trust.tls.context import TlsSettings, load_identity

_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d*)", re.IGNORECASE)
_LAST = re.compile(rb" HTTP/1\.0\r\n|\r\nconnection: *close\r\n", re.IGNORECASE)
_ENOUGH = 1 << 20


class UpdateServer:
    """Offers `image` as `name` until it is installed; `certificate` is what to trust."""

    def __init__(self, name: str, image: bytes):
        root = make_root("sweep")
        self.certificate = pem(root.certificate).decode()
        self._context = load_identity(root.issue(name), TlsSettings())
        self._image = image
        self._orders: deque[tuple[str, bytes]] = deque()
        self._connection: _Connection | None = None

    def order(self, order: str, what: object) -> None:
        """What the board asks of its network; it happens when the board is not at work."""
        self._orders.append((order, what if isinstance(what, bytes) else b""))

    def serve(self, board: Esp32) -> bool:
        """Do one thing that the board has asked for; False when there is none."""
        if not self._orders:
            return False
        order, data = self._orders.popleft()
        if order == "connect":
            installed = any(event.name == "update-installed" for event in board.events)
            self._connection = _Connection(self._context, None if installed else self._image)
            board.network("open", b"", board.time)
        elif order == "send" and self._connection is not None:
            if answer := self._connection.receive(data):
                board.network("data", answer, board.time)
            if self._connection.over:
                self._connection = None
                board.network("lost", b"", board.time)
        elif order in ("close", "vanish"):
            self._connection = None
        return True


class _Connection:
    """The server's side of one TLS connection, and the HTTP on it."""

    def __init__(self, context: ssl.SSLContext, image: bytes | None):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = False
        #: Whether it hangs up: the client asked for no more than one answer.
        self.over = False
        self._image, self._request = image, b""

    def receive(self, data: bytes) -> bytes:
        """What goes back for what came."""
        self._incoming.write(data)
        try:
            if not self._established:
                self._tls.do_handshake()
                self._established = True
            while asked := self._tls.read(_ENOUGH):
                self._ask(asked)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise Misuse(f"the image does not trust the server that it is to ask: {error.reason}") from error
        return self._outgoing.read()

    def _ask(self, asked: bytes) -> None:
        self._request += asked
        while b"\r\n\r\n" in self._request:
            head, _, self._request = self._request.partition(b"\r\n\r\n")
            self._tls.write(self._answer(head))
            self.over = self.over or _LAST.search(head + b"\r\n") is not None

    def _answer(self, head: bytes) -> bytes:
        """The whole image, or as much of it as was asked for; a HEAD tells its length. None: there is nothing new."""
        if self._image is None:
            return b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n"
        whole, status, more = self._image, b"200 OK", b""
        first, last = 0, len(whole) - 1
        if match := _RANGE.search(head):
            first, last = int(match[1]), min(int(match[2] or last), last)
            status, more = b"206 Partial Content", b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, len(whole))
        body = whole[first : last + 1]
        told = b"HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n%s\r\n"
        answer = told % (status, len(body), more)
        return answer if head.startswith(b"HEAD ") else answer + body
