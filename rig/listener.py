"""Lets peers in: no more than a server allows at once, and again after this process had no file left for one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace

from rig.limits import Limits, effective_limits
from rig.ports import make_room

log = logging.getLogger(__name__)

#: How many are let in before others have their turn, and how many may wait for it.
AT_ONCE, BACKLOG = 64, 1024
#: What is said of an address that a name has, and this machine has not: IPv6 often.
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
#: After how long it is tried again to let somebody in, where the system could not: those who wait are let in then.
RETRY_SECONDS = 0.5
#: How long somebody who was refused may take to read why, and how many may at once.
READING_SECONDS, MOST_READING = 0.5, 32
#: After how many seconds of silence a peer is asked whether it is still there, how often, and how many times: a
#: machine that vanished must not hold a connection for ever.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class _Counted(socket.socket):
    """A connection that tells when it is closed, whoever closes it."""

    on_close: Callable[[_Counted], None] | None = None

    def close(self) -> None:
        notify, self.on_close = self.on_close, None
        super().close()
        if notify is not None:
            notify(self)


class Listener:
    """Listens for one server; `make` makes the protocol of each peer that is let in.

    One too many is sent `refusal`, if anything, and hung up on; `refused` is told where it came from.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.BaseProtocol],
        limits: Limits,
        *,
        refusal: bytes = b"",
        refused: Callable[[str], None] = lambda peer: log.warning("%s is one connection too many", peer),
    ):
        self._make, self._refusal, self._refused = make, refusal, refused
        limits = effective_limits(limits)
        self.limits = replace(limits, connections=make_room(limits.connections))
        self._loop = asyncio.get_running_loop()
        self._listening: list[socket.socket] = []
        self._open: set[_Counted] = set()
        self._reading: set[socket.socket] = set()
        self._entering: set[asyncio.Task[None]] = set()
        self._timers: dict[socket.socket, asyncio.TimerHandle] = {}

    async def start(self, host: str, port: int) -> int:
        """Listen on all addresses that a host is; returns the port. Raises OSError when it is taken."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        trouble = OSError(errno.EADDRNOTAVAIL, "it is no address of this machine")
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                sock = socket.create_server((address[0], port), family=family, backlog=BACKLOG)
            except OSError as error:
                trouble = OSError(error.errno, os.strerror(error.errno or 0))
                if error.errno in NOT_HERE:
                    continue
                self.close()
                raise trouble from error
            port = sock.getsockname()[1]
            self.serve(sock)
        if not self._listening:
            raise trouble
        return port

    def serve(self, sock: socket.socket) -> None:
        """Listen on a socket that is bound."""
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._listening.append(sock)
        self._loop.add_reader(sock.fileno(), self._accept, sock)

    def close(self) -> None:
        """Stop listening; whoever was let in stays."""
        for sock in self._listening:
            self._pause(sock)
            sock.close()
        self._listening.clear()
        for task in self._entering:
            task.cancel()
        for sock in list(self._reading):
            self._dismiss(sock)

    @property
    def count(self) -> int:
        """How many are connected."""
        return len(self._open)

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                peer, address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no file is left, or the network of who waits is gone
                log.warning("nobody is let in for %.1f s: %s", RETRY_SECONDS, error.strerror)
                self._pause(sock)
                self._timers[sock] = self._loop.call_later(RETRY_SECONDS, self._resume, sock)
                return
            peer.setblocking(False)
            if len(self._open) >= self.limits.connections:
                self._refuse(peer, address)
            else:
                self._let_in(peer)

    def _pause(self, sock: socket.socket) -> None:
        self._loop.remove_reader(sock.fileno())
        if sock in self._timers:
            self._timers.pop(sock).cancel()

    def _resume(self, sock: socket.socket) -> None:
        self._timers.pop(sock, None)
        self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _let_in(self, peer: socket.socket) -> None:
        counted = _Counted(peer.family, peer.type, peer.proto, fileno=peer.detach())
        counted.on_close = self._open.discard
        self._open.add(counted)
        if counted.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):  # it has left already
                counted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in KEEPALIVE:
                    counted.setsockopt(socket.IPPROTO_TCP, option, value)
        task = self._loop.create_task(self._enter(counted))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _enter(self, peer: _Counted) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, peer)
        except OSError as error:
            log.info("a peer left before it was let in: %s", error)
            peer.close()
        except BaseException:
            peer.close()
            raise

    def _refuse(self, peer: socket.socket, address: object) -> None:
        where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a local peer"
        self._refused(where)
        if not self._refusal or len(self._reading) >= MOST_READING:
            peer.close()
            return
        with contextlib.suppress(OSError):
            peer.send(self._refusal)
            peer.shutdown(socket.SHUT_WR)
        self._reading.add(peer)
        self._timers[peer] = self._loop.call_later(READING_SECONDS, self._dismiss, peer)

    def _dismiss(self, peer: socket.socket) -> None:
        self._timers.pop(peer).cancel()
        self._reading.discard(peer)
        peer.close()


class IdlePeerTimeout:
    """Hangs up on a peer that has not said a valid word in time."""

    def __init__(self, transport: asyncio.Transport, seconds: float):
        self._timer = asyncio.get_running_loop().call_later(seconds, self._hang_up, transport, seconds)

    def is_known(self) -> None:
        """It has said one, or has left."""
        self._timer.cancel()

    def _hang_up(self, transport: asyncio.Transport, seconds: float) -> None:
        log.info("%s said nothing that counts in %.0f s", transport.get_extra_info("peername"), seconds)
        transport.abort()
