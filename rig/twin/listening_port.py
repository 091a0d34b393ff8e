"""A TCP port that is held all the time and listened on while the device behind it is there, and its clients."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from rig.control.web_pages import speaks_http, speaks_tls
from rig.limits import SERIAL, Limits, effective_limits
from rig.listener import Listener
from rig.ports import family_of

log = logging.getLogger(__name__)


class Client(asyncio.BufferedProtocol):
    """A connection that carries bytes as they are."""

    def __init__(self, port: ListeningPort, received: Callable[[bytes], None]):
        self._port = port
        self.received = received
        self.transport: asyncio.Transport | None = None
        #: How much of what it sends is looked at in one turn of the loop.
        self._incoming = memoryview(bytearray(port.limits.message))
        self._is_new = True
        #: Whether it leaves unread what it is sent, and has lost some of it.
        self._reads, self._lost = True, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count among the clients."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._port.arrived(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the next piece goes."""
        return self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        """A piece came; whoever begins as a web page's browser does is hung up on before any of it counts."""
        data = bytes(self._incoming[:nbytes])
        if self._is_new and (speaks_http(data) or speaks_tls(data)):
            log.warning("a web page at a serial port: hung up")
            self.hang_up()
            return
        self._is_new = False
        self.data_received(data)
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
        """Send; a client that has too much unread gets no more until it reads, which is told once."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) <= self._port.limits.unread:
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

    `full` tells whether the device has no room for more now: `resume` must be called when that may have changed.
    """

    def __init__(
        self,
        client: Callable[[ListeningPort], Client],
        full: Callable[[], bool] = lambda: False,
        limits: Limits = SERIAL,
    ):
        self.clients: set[Client] = set()
        self.full, self.limits = full, effective_limits(limits)
        self._client = client
        self._address = ("127.0.0.1", 0)
        self._held: socket.socket | None = None
        self._listener: Listener | None = None
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
        if self._listener is None:
            client.hang_up()

    def say(self, data: bytes) -> None:
        """Send to whoever is there."""
        for client in self.clients:
            client.say(data)

    def resume(self) -> None:
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
        while self._wanted != (self._listener is not None):
            if self._wanted:
                held, self._held = self._held or _bound(self._address), None
                self._listener = Listener(lambda: self._client(self), self.limits)
                self._listener.serve(held)
            else:
                self._hang_up()
                self._held = _bound(self._address)

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
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
