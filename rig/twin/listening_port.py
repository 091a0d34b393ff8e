"""A TCP port that is held all the time and listened on while the device behind it is there, and its clients."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from rig.ports import family_of

log = logging.getLogger(__name__)

#: How much of what a client sends is looked at in one turn of the loop.
PIECE = 1024
#: A client that has this much unread gets no more until it reads.
MOST_UNREAD = 1 << 20
#: After how many seconds of silence a client is asked whether it is still there, how often, and how many times: a
#: machine that vanished must not hold a line for ever.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class Client(asyncio.BufferedProtocol):
    """A connection that carries bytes as they are."""

    def __init__(self, port: ListeningPort, received: Callable[[bytes], None]):
        self._port = port
        self.received = received
        self.transport: asyncio.Transport | None = None
        self._incoming = memoryview(bytearray(PIECE))
        #: Whether it leaves unread what it is sent, and has lost some of it.
        self._reads, self._lost = True, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count among the clients."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._port.arrived(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the next piece goes."""
        return self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        """A piece came."""
        self.data_received(bytes(self._incoming[:nbytes]))
        self.settle()

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        self.received(data)

    def settle(self) -> None:
        """Listen to it, or not while it does not read or the device has no room for more."""
        if self.transport is None:
            return
        if self._reads and not self._port.full():
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count no more."""
        self._port.clients.discard(self)

    def pause_writing(self) -> None:
        """The client does not read: listen to it no more either, so that no answer can pile up."""
        self._reads = False
        self.settle()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._reads, self._lost = True, False
        self.settle()

    def say(self, data: bytes) -> None:
        """Send; what comes while too much is waiting already is lost, and that is told once."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) <= MOST_UNREAD:
            transport.write(data)
        elif not self._lost:
            self._lost = True
            log.warning("%s does not read: what comes for it is lost", transport.get_extra_info("peername"))

    def hang_up(self) -> None:
        """Close the connection; what the client has not read is gone."""
        if self.transport is not None:
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                self.transport.close()


class ListeningPort:
    """One TCP port; `client` makes the protocol of a connection.

    `full` tells whether the device has no room for more now: `breathe` must be called when that may have changed.
    """

    def __init__(self, client: Callable[[ListeningPort], Client], full: Callable[[], bool] = lambda: False):
        self.clients: set[Client] = set()
        self.full = full
        self._client = client
        self._address = ("127.0.0.1", 0)
        self._held: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._wanted = False
        self._settling: asyncio.Task[None] | None = None

    def hold(self, host: str, port: int) -> int:
        """Take a port without listening; returns it. Raises OSError."""
        self._held = _bound((host, port))
        self._address = (host, self._held.getsockname()[1])
        return self._address[1]

    def show(self, there: bool) -> None:
        """Listen from now on, or hang up and refuse."""
        self._wanted = there
        if self._settling is None or self._settling.done():
            self._settling = asyncio.get_running_loop().create_task(self._settle())

    async def settled(self) -> None:
        """Wait until the last `show` has been carried out. Raises OSError when the port was taken meanwhile."""
        if self._settling is not None:
            await self._settling

    def arrived(self, client: Client) -> None:
        """Count a client; one that was on its way when the port closed is too late."""
        self.clients.add(client)
        if self._server is None:
            client.hang_up()

    def say(self, data: bytes) -> None:
        """Send to whoever is there."""
        for client in self.clients:
            client.say(data)

    def breathe(self) -> None:
        """The device may have room again: listen on."""
        for client in self.clients:
            client.settle()

    def close(self) -> None:
        """Let go of the port."""
        if self._settling is not None:
            self._settling.cancel()
        self._hang_up()
        if self._held is not None:
            self._held.close()

    async def _settle(self) -> None:
        while self._wanted != (self._server is not None):
            if self._wanted:
                held, self._held = self._held or _bound(self._address), None
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(lambda: self._client(self), sock=held)
            else:
                self._hang_up()
                self._held = _bound(self._address)

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self.clients:
            client.hang_up()


def _bound(address: tuple[str, int]) -> socket.socket:
    held = socket.socket(family_of(address[0]), socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(address)
    except OSError:
        held.close()
        raise
    held.setblocking(False)
    return held
