"""HTTP as a device's client speaks it: a request out, a status line and headers in, a body as it comes.

Heads and bodies are parsed without input and output; `request` is the generator that waits. Which status means what
is the clients' business.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from rig.twin.esp32.app.connection import Connection, ConnectionFailed, Security, TimedOut, connect
from rig.twin.esp32.app.esp_error import INVALID_ARG
from rig.twin.esp32.steps import Board
from rig.twin.steps import Step

#: A head that is longer is refused, so that no server can fill a device's memory.
LONGEST_HEAD = 16 * 1024
LONGEST_CHUNK_LINE = 256
PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.(\d) +(\d{3})(?: |$)")


class Malformed(Exception):
    """What came is no HTTP, or an address is none."""


class HungUp(Malformed):
    """The server left before it had answered."""


@dataclass(frozen=True, slots=True)
class Url:
    """An address: `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises Malformed."""
        try:
            parts = urlsplit(text)
            port = parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise Malformed(f"{text!r} is no address") from error
        if not parts.hostname:
            raise Malformed(f"{text!r} names no host")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, parts.hostname, port, path)

    def join(self, location: str) -> Url:
        """Where a Location header leads, absolute or relative. Raises Malformed."""
        try:
            return Url.parse(urljoin(str(self), location))
        except ValueError as error:
            raise Malformed(f"{location[:40]!r} is no address") from error

    @property
    def authority(self) -> str:
        """What goes into the Host header: the port only where it is an unusual one."""
        return self.host if self.port in PORTS.values() else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Head:
    """A status line and headers; names in lower case, of headers sent twice the last."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        """From everything up to the empty line. Raises Malformed."""
        first, *lines = raw.split(b"\r\n")
        matched = _STATUS.match(first)
        if matched is None:
            raise Malformed(f"no status line: {first[:40]!r}")
        headers = {}
        for line in filter(None, lines):
            name, colon, value = line.partition(b":")
            if not colon or not name.strip():
                raise Malformed(f"no header: {line[:40]!r}")
            headers[name.strip().decode("latin-1").lower()] = value.strip().decode("latin-1")
        return cls(int(matched[2]), headers)

    @property
    def length(self) -> int | None:
        """Content-Length; None where there is none. Raises Malformed for one that is no number."""
        text = self.headers.get("content-length")
        return None if text is None else _count(text, "Content-Length")

    @property
    def total(self) -> int | None:
        """How long the whole is that this is a range of; None where Content-Range does not tell. Raises Malformed."""
        text = self.headers.get("content-range", "").rpartition("/")[2]
        return None if text in ("", "*") else _count(text, "Content-Range")

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.headers.get("transfer-encoding", "").lower() == "chunked"


def _count(text: str, header: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text):
        raise Malformed(f"{header} {text[:40]!r}")
    return int(text)


class Body:
    """What comes after a head: so many bytes, chunks, or everything until the server hangs up."""

    def __init__(self, head: Head, *, expected: bool = True):
        """Without `expected` (an answer to HEAD) there is none, whatever the head says."""
        self._chunks = ChunkReader() if head.chunked else None
        self._left = None if head.chunked else head.length
        none = not expected or head.status in (204, 304) or head.status < 200
        self.complete = none or self._left == 0
        self.until_close = self._chunks is None and self._left is None

    def feed(self, data: bytes) -> bytes:
        """The body's share of what came. Raises Malformed for broken chunks."""
        if self.complete:
            return b""
        if self._chunks is not None:
            plain = self._chunks.feed(data)
            self.complete = self._chunks.complete
            return plain
        if self._left is None:
            return data
        plain = data[: self._left]
        self._left -= len(plain)
        self.complete = self._left == 0
        return plain

    def end(self) -> None:
        """The server hung up."""
        self.complete = self.complete or self.until_close


class ChunkReader:
    """Takes the chunks' frames off (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self.complete = False
        self._buffer = bytearray()
        self._left = 0
        self._trailing = False

    def feed(self, data: bytes) -> bytes:
        """The data in what came. Raises Malformed."""
        self._buffer += data
        plain = bytearray()
        while not self.complete:
            if self._left > 2:
                taken = self._buffer[: self._left - 2]
                plain += taken
                del self._buffer[: len(taken)]
                self._left -= len(taken)
                if self._left > 2:
                    break
            if not self._frame():
                break
        return bytes(plain)

    def _frame(self) -> bool:
        """Take the end of a chunk, a size or a trailer off the front; False when it has not all come."""
        if self._left:
            if len(self._buffer) < 2:
                return False
            if self._buffer[:2] != b"\r\n":
                raise Malformed("a chunk does not end where it says")
            del self._buffer[:2]
            self._left = 0
            return True
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            if len(line) > LONGEST_CHUNK_LINE:
                raise Malformed("the size of a chunk has no end")
            return False
        self._buffer = rest
        if self._trailing:
            self.complete = not line
            return True
        size = line.split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise Malformed(f"no size of a chunk: {bytes(size[:20])!r}")
        count = int(size, 16)
        self._trailing = count == 0
        self._left = count + 2 if count else 0
        return True


class Response:
    """An answer whose head has come; the body is read from it, as long as the connection is there."""

    def __init__(self, connection: Connection, head: Head, body: Body, first: bytes):
        self.head, self.body = head, body
        self._connection = connection
        self._plain = bytearray(body.feed(first))
        self._ended = False

    @property
    def complete(self) -> bool:
        """Whether all of the body has come."""
        return self.body.complete

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to read, complete or not."""
        return not self._plain and (self.body.complete or self._ended)

    def peek(self, count: int, seconds: float) -> Generator[Step, bool, bytes]:
        """The next `count` bytes, not taken; fewer when they do not come within `seconds`. Raises Malformed."""
        with contextlib.suppress(TimedOut):
            yield from self._fill(count, seconds)
        return bytes(self._plain[:count])

    def read(self, count: int) -> Generator[Step, bool, bytes]:
        """`count` bytes; fewer at the body's end, when the server has hung up, or when the time was up after some.

        Raises TimedOut when nothing came in time, Malformed.
        """
        try:
            yield from self._fill(count, None)
        except TimedOut:
            if not self._plain:
                raise
        data = bytes(self._plain[:count])
        del self._plain[:count]
        return data

    def _fill(self, count: int, seconds: float | None) -> Generator[Step, bool, None]:
        """`seconds` are for each piece that comes, as a socket's time-out is."""
        while len(self._plain) < count and not self.body.complete and not self._ended:
            data = yield from self._connection.receive(seconds)
            if data:
                self._plain += self.body.feed(data)
            else:
                self._ended = True
                self.body.end()

    def close(self) -> None:
        """Hang up, whatever has not been read."""
        self._connection.close()


def write_head(method: str, url: Url, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    """A request without a body."""
    lines = [f"{method} {url.path} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def request(
    board: Board, url: Url, method: str, headers: Mapping[str, str], security: Security | None, seconds: float,
    version: str = "1.1",
) -> Generator[Step, bool, Response]:  # fmt: skip
    """Ask on a connection of its own. Raises ConnectionFailed, TimedOut, Malformed; then it is closed.

    With nobody to trust there is no https, and none is made up for by plain HTTP.
    """
    if url.scheme == "https" and security is None:
        raise ConnectionFailed(INVALID_ARG, [])
    secure = security if url.scheme == "https" else None
    connection = yield from connect(board, url.host, url.port, secure, seconds)
    try:
        connection.send(write_head(method, url, headers, version))
        raw = bytearray()
        while (end := raw.find(b"\r\n\r\n")) < 0:
            data = yield from connection.receive()
            raw += data
            if not data:
                raise HungUp("the server left without an answer")
            if len(raw) > LONGEST_HEAD and b"\r\n\r\n" not in raw:
                raise Malformed("the head of an answer has no end")
        head = Head.parse(bytes(raw[:end]))
        body = Body(head, expected=method != "HEAD")
        board.event(f"answer:{head.status}")
        return Response(connection, head, body, bytes(raw[end + 4 :]))
    except (TimedOut, Malformed):
        connection.close()
        raise
