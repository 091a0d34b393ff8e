"""Tells devices the time by SNTP: the true one, or to some of them another."""

from __future__ import annotations

import asyncio
import time

from rig.formats.sntp import reply
from rig.limits import refuse_more


class TimeServer(asyncio.DatagramProtocol):
    """One UDP port. `ahead` is by how many seconds the time told to a client, by its address, is off."""

    def __init__(self) -> None:
        self.ahead: dict[str, float] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._is_full = False

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, port))
        self._transport = transport
        return int(transport.get_extra_info("sockname")[1])

    def set(self, client: str, now: float | None) -> None:
        """Let a client believe that it is `now`, in seconds since 1970, from here on; None: tell it the truth."""
        self.ahead.pop(client, None)
        if now is not None:
            refuse_more(self.ahead, "clients with a time of their own")
            self.ahead[client] = now - time.time()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Somebody asks."""
        answer = reply(data, time.time() + self.ahead.get(addr[0], 0.0))
        if answer is not None and self._transport is not None and not self._is_full:
            self._transport.sendto(answer, addr)

    def pause_writing(self) -> None:
        """The system takes no more answers for now: who is not answered asks again."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It takes them again."""
        self._is_full = False

    def error_received(self, _error: Exception) -> None:
        """Somebody who asked is gone."""

    async def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
