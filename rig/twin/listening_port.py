"""A TCP port that is held all the time and listened on while the device behind it is there, and its clients."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

#: A client that has this much unread gets no more until it reads: what a stub sends ahead of acknowledgements fits
#: twice (64 frames of 4096 bytes, every byte escaped).
MOST_UNREAD = 1 << 20


class Client(asyncio.Protocol):
    """A connection that carries bytes as they are."""

    def __init__(self, port: ListeningPort, received: Callable[[bytes], None]):
        self._port = port
        self.received = received
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count among the clients."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._port.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        self.received(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Count no more."""
        self._port.clients.discard(self)

    def pause_writing(self) -> None:
        """The client does not read: listen to it no more either, so that no answer can pile up."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self.transport is not None:
            self.transport.resume_reading()

    def say(self, data: bytes) -> None:
        """Send, unless too much is waiting already."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) <= MOST_UNREAD:
            transport.write(data)

    def hang_up(self) -> None:
        """Close the connection; what the client has not read is gone."""
        if self.transport is not None:
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                self.transport.close()


class ListeningPort:
    """One TCP port; `client` makes the protocol of a connection."""

    def __init__(self, client: Callable[[ListeningPort], Client]):
        self.clients: set[Client] = set()
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
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(address)
    except OSError:
        held.close()
        raise
    held.setblocking(False)
    return held
