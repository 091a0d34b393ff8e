"""A network between Cores and their cloud that holds, delays, splits, merges and cuts at a chosen message.

It sits between a socket and the cloud's end of a connection, so that a real Core meets it as a twin does, without
another address. A Core that connects while nothing is planned has its cloud directly behind the socket.
"""

from __future__ import annotations

import asyncio
from typing import Any

from rig.families.spark_core.servers.connection import Connection
from rig.families.spark_core.servers.delay_line import DelayLine, MessageNames, MessageSplitter
from rig.families.spark_core.servers.disturbances import Disturbances
from rig.families.spark_core.servers.events import EventBus

#: More on its way in one direction is nobody's update.
MOST_HELD = 1 << 20


class Proxy(asyncio.Protocol):
    """Passes on what the socket and `connection` send, one connection's life long."""

    def __init__(self, connection: Connection, disturbances: Disturbances, bus: EventBus):
        self._connection, self._disturbances, self._bus = connection, disturbances, bus
        self._loop = asyncio.get_running_loop()
        names = MessageNames()
        self._to_core, self._from_core = DelayLine(), DelayLine()
        self._cut_to_core, self._cut_from_core = (
            MessageSplitter(names, to_core=True),
            MessageSplitter(names, to_core=False),
        )
        self._timer: asyncio.TimerHandle | None = None
        self._ended: list[Exception | None] = []
        self.outside: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A Core connected."""
        assert isinstance(transport, asyncio.Transport)
        self.outside = transport
        self._connection.connection_made(ProxyTransport(self))

    def data_received(self, data: bytes) -> None:
        """The Core said something."""
        self._pass(self._cut_from_core, self._from_core, data)

    def connection_lost(self, error: Exception | None) -> None:
        """The Core's end is gone: the cloud hears of it after what is still on its way."""
        self._ended.append(error)
        self._go_on()

    def pause_writing(self) -> None:
        """The Core does not read."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._connection.resume_writing()

    def said(self, data: bytes) -> None:
        """The cloud said something."""
        self._pass(self._cut_to_core, self._to_core, data)

    def hang_up(self) -> None:
        """The cloud hangs up: whatever is on its way is lost."""
        self._from_core = self._to_core = DelayLine()
        if self.outside is not None:
            self.outside.abort()

    def _pass(self, cutter: MessageSplitter, line: DelayLine, data: bytes) -> None:
        for name, message in cutter.cut(data, self._connection.credentials):
            disturbance = self._disturbances.take(name, self._connection.core_id)
            if disturbance is not None:
                self._bus.emit("disturbed", self._connection.core_id, kind=disturbance.kind, message=name)
                if disturbance.kind == "cut":
                    self.hang_up()
                    return
            line.put(message, self._loop.time(), disturbance)
            if line.held > MOST_HELD:
                self.hang_up()
                return
        self._go_on()

    def _go_on(self) -> None:
        """Let pass what may, and come back when the next message may."""
        now = self._loop.time()
        if (out := self._to_core.take(now)) and self.outside is not None and not self.outside.is_closing():
            self.outside.write(out)
        if said := self._from_core.take(now):
            self._connection.data_received(said)
        if self._ended and self._from_core.due() == float("inf"):
            self._connection.connection_lost(self._ended.pop())
            self.outside = None
        if self._timer is not None:
            self._timer.cancel()
        due = min(self._to_core.due(), self._from_core.due())
        self._timer = self._loop.call_at(due, self._go_on) if due != float("inf") else None


class ProxyTransport(asyncio.Transport):
    """What the cloud's end takes for its socket."""

    def __init__(self, proxy: Proxy):
        super().__init__()
        self._proxy = proxy

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, as far as the network lets it."""
        self._proxy.said(bytes(data))

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._proxy.outside is None or self._proxy.outside.is_closing()

    def abort(self) -> None:
        """Hang up."""
        self._proxy.hang_up()

    def get_write_buffer_size(self) -> int:
        """Bytes that the system has not taken yet."""
        outside = self._proxy.outside
        return 0 if outside is None else outside.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take nothing from the Core until told otherwise."""
        if not self.is_closing() and self._proxy.outside is not None:
            self._proxy.outside.pause_reading()

    def resume_reading(self) -> None:
        """Take again what it says."""
        if not self.is_closing() and self._proxy.outside is not None:
            self._proxy.outside.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the socket's own."""
        return default if self._proxy.outside is None else self._proxy.outside.get_extra_info(name, default)
