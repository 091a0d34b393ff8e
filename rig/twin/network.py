"""The network around a board's radio: real TCP, and routes that say where a server's name leads.

A radio without power says nothing: its connections stay open and silent, and once it is back it answers what still
arrives on them with a reset (design, "Power off is silence").
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rig.errors import Misuse
from rig.ports import read_address

log = logging.getLogger(__name__)

PRESENCE_GROUP = ("224.0.1.187", 5683)
#: How much may wait for a board that is busy.
MOST_WAITING = 16 * 1024
#: A server that leaves so much of what a board says unread is given up: boards have no memory for it.
MOST_UNSENT = 256 * 1024
#: How long a name nobody knows is asked for.
UNKNOWN_SECONDS = 1.0
UNKNOWN, UNREACHABLE = b"unknown", b"unreachable"
#: The other end hung up by RST.
RESET = b"reset"
_ABORTIVE = struct.pack("ii", 1, 0)

#: What happened: `open`, `data` with bytes, or `lost`; with UNKNOWN or UNREACHABLE where nothing was ever open, with
#: RESET where it was reset.
Happened = Callable[[str, bytes], None]


@dataclass(slots=True)
class Routes:
    """Where names and addresses lead: those named, then the default, then loopback addresses to themselves."""

    default: tuple[str, int] | None = None
    named: dict[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str], option: str = "--cloud") -> Routes:
        """From the texts of an option, `HOST:PORT` and `NAME=HOST:PORT`. Raises Misuse."""
        routes = cls()
        for text in texts:
            name, equals, target = text.rpartition("=")
            if equals and not name:
                raise Misuse(f"{option} {text}: no name in front of the address", hint="NAME=HOST:PORT or HOST:PORT")
            address = read_address(target, option, "127.0.0.1:5683")
            if equals:
                routes.named[name] = address
            else:
                routes.default = address
        return routes

    def find(self, name: str, port: int) -> tuple[str, int] | None:
        """Host and port behind `name`; None when nothing is known of it."""
        if name in self.named:
            return self.named[name]
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(name).is_loopback:
                return name, port
        return self.default


class Connection(asyncio.Protocol):
    """One TCP connection of a board; a ghost once its radio has lost it."""

    def __init__(self, network: Network):
        self._network = network
        self.transport: asyncio.Transport | None = None
        self.answers_with_reset = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._network.happened(self, "open")

    def data_received(self, data: bytes) -> None:
        """Something came: for the board, or for a ghost."""
        if self.answers_with_reset:
            self.reset()
        else:
            self._network.happened(self, "data", data)

    def eof_received(self) -> bool:
        """The other end hung up: a ghost does not hang up in return."""
        if self.answers_with_reset:
            self.reset()
        self._network.happened(self, "lost")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        self._network.forget(self)
        self._network.happened(self, "lost", RESET if isinstance(error, ConnectionResetError) else b"")

    def hang_up(self) -> None:
        """End it with FIN."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """End it with RST."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORTIVE)
            self.transport.abort()


class Network:
    """Carries a radio's orders out. `waiting` tells how many bytes the board has not read yet.

    `address` is the board's own, where it has one: servers see it.
    """

    def __init__(self, routes: Routes, happened: Happened, waiting: Callable[[], int], address: str | None = None):
        self._routes, self._on_network_event, self._waiting = routes, happened, waiting
        self.address = address
        self._current: Connection | None = None
        self._ghosts: set[Connection] = set()
        self._opening: asyncio.Task[None] | None = None
        self._paused = False

    def order(self, order: str, what: Any) -> None:
        """One of the radio's orders."""
        match order:
            case "connect":
                self._let_ghosts_answer()
                self._opening = asyncio.get_running_loop().create_task(self._open(*what))
            case "send" if self._current is not None and self._current.transport is not None:
                self._current.transport.write(what)
                if self._current.transport.get_write_buffer_size() > MOST_UNSENT:
                    self._current.reset()
            case "close":
                self._leave(Connection.hang_up)
            case "vanish":
                self._leave(self._haunt)
            case "announce":
                _multicast(what)

    def happened(self, connection: Connection, what: str, data: bytes = b"") -> None:
        """Something came on a connection; only the board's own one concerns it."""
        if connection is self._current:
            self._on_network_event(what, data)
            if connection.transport is not None and self._waiting() > MOST_WAITING and not self._paused:
                self._paused = True
                connection.transport.pause_reading()

    def knows(self, host: str) -> bool:
        """Whether a name or address leads anywhere: then it answers echo requests, too."""
        return self._routes.find(host, PRESENCE_GROUP[1]) is not None

    def resume(self) -> None:
        """The board may have read something: read on."""
        if self._paused and self._waiting() <= MOST_WAITING:
            self._paused = False
            if self._current is not None and self._current.transport is not None:
                self._current.transport.resume_reading()

    def forget(self, connection: Connection) -> None:
        """A ghost is gone."""
        self._ghosts.discard(connection)

    def close(self) -> None:
        """End every connection."""
        if self._opening is not None:
            self._opening.cancel()
        for connection in (*self._ghosts, self._current):
            if connection is not None:
                connection.reset()

    async def _open(self, name: str, port: int) -> None:
        target = self._routes.find(name, port)
        connection = self._current = Connection(self)
        if target is None:
            await asyncio.sleep(UNKNOWN_SECONDS)
            self.happened(connection, "lost", UNKNOWN)
            return
        own = (self.address, 0) if self.address is not None else None
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, *target, local_addr=own)
        except OSError as error:
            log.info("no connection to %s: %s", name, error)
            self.happened(connection, "lost", UNREACHABLE)

    def _leave(self, how: Callable[[Connection], object]) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        connection, self._current, self._paused = self._current, None, False
        if connection is not None and connection.transport is not None:
            how(connection)

    def _haunt(self, connection: Connection) -> None:
        assert connection.transport is not None
        if not connection.transport.is_closing():
            connection.transport.pause_reading()
            self._ghosts.add(connection)

    def _let_ghosts_answer(self) -> None:
        for ghost in self._ghosts:
            ghost.answers_with_reset = True
            if ghost.transport is not None and not ghost.transport.is_closing():
                ghost.transport.resume_reading()


def _multicast(data: bytes) -> None:
    """Tell the loopback interface's listeners; no board that is not there bothers a real network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sender.sendto(data, PRESENCE_GROUP)
