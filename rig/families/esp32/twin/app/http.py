"""HTTP as a device's client speaks it: a request out, an answer in, and its body as it comes.

`request` and `exchange` are generators that wait. Which status means what is the clients' business.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping

from rig.families.esp32.twin.app.connection import Connection, ConnectionFailed, Ending, Security, TimedOut, connect
from rig.families.esp32.twin.app.esp_error import INVALID_ARG
from rig.families.esp32.twin.app.http_body import Body
from rig.families.esp32.twin.app.http_head import Head, HungUp, Malformed, Url
from rig.families.esp32.twin.steps import Board
from rig.twin.steps import Step

#: A head that is longer is refused, so that no server can fill a device's memory.
LONGEST_HEAD = 16 * 1024


class Response:
    """An answer whose head has come; the body is read from it, as long as the connection is there."""

    def __init__(self, connection: Connection, head: Head, body: Body, first: bytes, ends_by_close_notify: bool = True):
        """Without `ends_by_close_notify` a body that has no length ends by FIN alone."""
        self.head, self.body = head, body
        self._connection = connection
        self._ends_by_close_notify = ends_by_close_notify
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

    @property
    def ending(self) -> Ending | None:
        """How the server hung up; None while it is there."""
        return self._connection.ending

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on this connection, as far as the answer tells."""
        return self.head.keeps_alive and not self.body.until_close

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
                if self.ending is Ending.FIN or (self.ending is Ending.GOODBYE and self._ends_by_close_notify):
                    self.body.end()

    def close(self) -> None:
        """Hang up, whatever has not been read."""
        self._connection.close()


def write_head(method: str, url: Url, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    """A request without a body."""
    lines = [f"{method} {url.path} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def dial(board: Board, url: Url, security: Security | None, seconds: float) -> Generator[Step, bool, Connection]:
    """Connect to where `url` leads. Raises ConnectionFailed.

    With nobody to trust there is no https, and none is made up for by plain HTTP.
    """
    if url.scheme == "https" and security is None:
        raise ConnectionFailed(INVALID_ARG, [])
    return (yield from connect(board, url.host, url.port, security if url.scheme == "https" else None, seconds))


def exchange(
    board: Board, connection: Connection, request: bytes, *, expects_body: bool = True,
    ends_by_close_notify: bool = True,
) -> Generator[Step, bool, Response]:  # fmt: skip
    """Ask on a connection that is there, however it is by now. Raises TimedOut, Malformed; it stays open then."""
    connection.send(request)
    raw = bytearray()
    while (end := raw.find(b"\r\n\r\n")) < 0:
        data = yield from connection.receive()
        raw += data
        if not data:
            raise HungUp("the server left without an answer")
        if len(raw) > LONGEST_HEAD and b"\r\n\r\n" not in raw:
            raise Malformed("the head of an answer has no end")
    head = Head.parse(bytes(raw[:end]))
    board.event(f"answer:{head.status}")
    body = Body(head, expected=expects_body)
    return Response(connection, head, body, bytes(raw[end + 4 :]), ends_by_close_notify)


def request(
    board: Board, url: Url, method: str, headers: Mapping[str, str], security: Security | None, seconds: float,
    version: str = "1.1",
) -> Generator[Step, bool, Response]:  # fmt: skip
    """Ask on a connection of its own. Raises ConnectionFailed, TimedOut, Malformed; then it is closed."""
    connection = yield from dial(board, url, security, seconds)
    try:
        asked = write_head(method, url, headers, version)
        return (yield from exchange(board, connection, asked, expects_body=method != "HEAD"))
    except (TimedOut, Malformed):
        connection.close()
        raise
