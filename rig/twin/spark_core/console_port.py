"""A Core's serial console as a TCP port, as a rack's exporter serves it: there only while the real one would be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


class _Client(asyncio.Protocol):
    def __init__(self, port: ConsolePort):
        self._port = port
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._port.clients.add(self)

    def data_received(self, data: bytes) -> None:
        self._port.typed(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._port.clients.discard(self)


class ConsolePort:
    """Holds a port all the time, and listens on it while the console is there."""

    def __init__(self, typed: Callable[[bytes], None]):
        self.typed = typed
        self.clients: set[_Client] = set()
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

    def say(self, data: bytes) -> None:
        """Send to whoever is there."""
        for client in self.clients:
            if client.transport is not None:
                client.transport.write(data)

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
                self._server = await loop.create_server(lambda: _Client(self), sock=held)
            else:
                self._hang_up()
                self._held = _bound(self._address)

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self.clients:
            if client.transport is not None:
                client.transport.close()


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
