"""One client's HTTP connection, aiohttp's: who will send no more is answered, and what is no request is told of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from rig.limits import HTTPS

#: A request's head may not have more: what a board asks has 1 KB.
LONGEST_HEAD = HTTPS.message
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#: How often it is looked whether a client that will send no more has been answered.
LOOK_EVERY_SECONDS = 0.05

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
#: Told of a request that could not be read: what there is of it, the status it was answered with, and why.
Refused = Callable[[web.BaseRequest, int, str], None]


class HttpServer(web.Server):
    """Makes a connection for each client."""

    def __init__(self, handler: Handler, refused: Refused, *, handler_cancellation: bool, **how: Any):
        super().__init__(handler, handler_cancellation=handler_cancellation)
        self._refused, self._how = refused, how

    def __call__(self) -> HttpConnection:
        """The protocol of one connection."""
        return HttpConnection(self, self._refused, self._how)


class HttpConnection(web.RequestHandler):
    """`sends_no_more` is how a client looks that has closed its half, or has gone."""

    __slots__ = ("_head", "_refused", "sends_no_more")

    def __init__(self, manager: HttpServer, refused: Refused, how: dict[str, Any]):
        super().__init__(manager, loop=manager._loop, **how)
        self._refused = refused
        self.sends_no_more = False
        #: Bytes of a head that is not whole yet.
        self._head = 0

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's; a head without end is its last."""
        seen = self._request_count
        super().data_received(data)
        is_head = self._request_count == seen and self._current_request is None
        self._head = self._head + len(data) if is_head else 0
        if self._head > LONGEST_HEAD and self.transport is not None:
            self.transport.write(TOO_LARGE)
            self.force_close()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio wants to know who hangs up
        """The client will send no more; what it asked for before is answered first."""
        self.sends_no_more = True
        self._end_when_idle()
        return True

    def _end_when_idle(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._waiter is not None and not self._messages:
            self.force_close()
        else:
            self._loop.call_later(LOOK_EVERY_SECONDS, self._end_when_idle)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer with an error, as aiohttp does; what it could not read is told."""
        if status != 500:
            self._refused(request, status, " ".join((message or "").split())[:200])
        return super().handle_error(request, status, exc, message)
