"""Sending an answer: head and body in one burst, 4 KiB at a time, with whatever is to go wrong on the way."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import random
import socket
import struct
import termios
import time
from collections.abc import Callable, Mapping

from aiohttp import web

from rig.servers.https.answer import Answer
from rig.servers.https.connection import LOOK_EVERY_SECONDS, HttpConnection
from rig.servers.https.faults import CUTS, Fault

PIECE = 4096
#: A client that takes none of a piece for so long will not go on.
PIECE_SECONDS = 60.0
#: How long a reset waits until the client's system has what was sent.
ARRIVAL_SECONDS = 1.0
LONGEST_STALL_SECONDS = 3600.0

Progress = Callable[[int, int], None]


class _Burst(web.StreamResponse):
    """A response whose head leaves with the first piece of its body, as clients that peek at that want it (§7.2)."""

    _send_headers_immediately = False


class _Unmeasured(_Burst):
    """One that tells no length and has no chunks: its body ends where the connection does."""

    _length_check = False


class _HeadOfChunks(_Burst):
    """An answer to HEAD that says how a GET would be answered: in chunks."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Content-Length", None)
        self.headers["Transfer-Encoding"] = "chunked"


class Cut(Exception):
    """The body ended before its end, because that was to happen or the client would not take it."""


class Sending:
    """One answer on its way; `sent` counts bytes of the body the system has taken."""

    def __init__(self, request: web.BaseRequest, answer: Answer, faults: Mapping[str, Fault], on_progress: Progress):
        self._request, self._answer, self._faults, self._on_progress = request, answer, faults, on_progress
        self.sent = 0
        body = _spoilt(answer.body, faults)
        self.body = memoryview(b"") if request.method == "HEAD" else body
        self.response = self._head(len(body))

    async def run(self) -> None:
        """Send all. Raises Cut; ConnectionError when the client left."""
        await self.response.prepare(self._request)
        writer = self._request.writer
        if "chunked" in self._faults:
            writer.enable_chunking()
        if "wrong-length" in self._faults:
            writer.length = None  # else no more than was promised would be sent
        await self._cut()
        while self.sent < len(self.body):
            await self._send(self.body[self.sent : self._next_stop()])
            await self._cut()
        if "no-length-fin" in self._faults:
            await self._end_by_fin()
        await self.response.write_eof()

    @property
    def is_whole(self) -> bool:
        """Whether the system has taken all of the body."""
        return self.sent == len(self.body)

    def _head(self, length: int) -> web.StreamResponse:
        unmeasured = bool({"no-length", "no-length-fin", "head-without-length"} & set(self._faults))
        kind = _HeadOfChunks if "head-chunked" in self._faults else _Unmeasured if unmeasured else _Burst
        response = kind(status=self._answer.status, headers=dict(self._answer.headers))
        if "chunked" in self._faults:
            response.headers["Transfer-Encoding"] = "chunked"
        elif unmeasured:
            response.force_close()
        elif self._answer.status not in (204, 304):
            promised = self._faults.get("wrong-length")
            response.content_length = promised.at if promised is not None else length
        if "wrong-md5" in self._faults:
            response.headers["x-MD5"] = "0" * 32
        if "md5-in-capitals" in self._faults and "x-MD5" in response.headers:
            response.headers["x-MD5"] = response.headers["x-MD5"].upper()
        if {"wrong-length", "chunked"} & set(self._faults):
            response.force_close()
        return response

    def _next_stop(self) -> int:
        """Where the next piece ends: at a whole number of pieces, where something is to happen, or as slow allows."""
        stop = min(len(self.body), self.sent + PIECE - self.sent % PIECE)
        slow = self._faults.get("slow")
        if slow is not None and slow.at:
            stop = min(stop, self.sent + max(1, slow.at // 10))
        cuts = [fault.at for fault in self._faults.values() if fault.kind in CUTS]
        return min([stop, *(at for at in cuts if at is not None and at > self.sent)])

    async def _send(self, piece: memoryview) -> None:
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                await self.response.write(bytes(piece))
                await self._request.writer.drain()
        except TimeoutError:
            _abort(self._request)
            raise Cut("the client takes no more") from None
        self.sent += len(piece)
        if self.sent % PIECE == 0 or self.sent == len(self.body):
            self._on_progress(self.sent, _unacknowledged(self._request))
        slow = self._faults.get("slow")
        if slow is not None and slow.at and not self.is_whole:
            await asyncio.sleep(len(piece) / slow.at)

    async def _cut(self) -> None:
        """What is to happen after as many bytes as are sent now."""
        due = {kind for kind, fault in self._faults.items() if fault.at == self.sent}
        if not self.sent and due & set(CUTS):
            await self.response.write(b"")  # the head alone
        if "stall" in due:
            await self._stall(self._faults["stall"].lasts or LONGEST_STALL_SECONDS)
        if "close" in due:
            _close(self._request)
            raise Cut("closed on demand")
        if "fin" in due:
            await self._end_by_fin()
        if "reset" in due:
            await self._arrived()
            _abort(self._request)
            raise Cut("reset on demand")

    async def _end_by_fin(self) -> None:
        """Hang up at TCP alone: FIN, and no close_notify before it. Raises Cut."""
        transport = self._request.transport
        if transport is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PIECE_SECONDS):
                    while transport.get_write_buffer_size():
                        await asyncio.sleep(0.002)
            with contextlib.suppress(OSError):
                transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
            await self._arrived()
            transport.abort()
        if self.is_whole:
            return
        raise Cut("hung up without close_notify on demand")

    async def _stall(self, seconds: float) -> None:
        """Be silent for so long, or until the client sends no more: of one that has gone there is no other sign."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if isinstance(self._request.protocol, HttpConnection) and self._request.protocol.sends_no_more:
                _abort(self._request)
                raise Cut("the client left")
            await asyncio.sleep(min(left, LOOK_EVERY_SECONDS))

    async def _arrived(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_SECONDS):
                while _unacknowledged(self._request):
                    await asyncio.sleep(0.002)


def _spoilt(body: memoryview, faults: Mapping[str, Fault]) -> memoryview:
    """A body as it is sent: shorter, or random from some byte on (the same whenever it is asked for)."""
    if fault := faults.get("truncated"):
        body = body[: fault.at]
    if fault := faults.get("random"):
        noise = random.Random(f"{len(body)} {fault.at}").randbytes(max(0, len(body) - (fault.at or 0)))
        body = memoryview(bytes(body[: fault.at]) + noise)
    return body


def _unacknowledged(request: web.BaseRequest) -> int:
    """Bytes the system has taken and the client's has not confirmed, encrypted ones where they are; 0 when unknown."""
    sock = request.transport.get_extra_info("socket") if request.transport is not None else None
    if sock is None:
        return 0
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    except OSError:
        return 0
    return int(count)


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


def _abort(request: web.BaseRequest) -> None:
    """Hang up with RST: what the client has not read may be lost."""
    if request.transport is None:
        return
    sock = request.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
