"""How a board in a network learns the time: SNTP over real UDP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count

from rig.formats.sntp import SIZE, read_reply, request
from rig.twin.network import Routes

#: Whom firmware asks.
NAME = "pool.ntp.org"
#: After how long a question without an answer is asked again.
ANSWER_SECONDS = 1.0


class NetworkTime(asyncio.DatagramProtocol):
    """Calling it asks; what it returns tells the answer, in seconds since 1970, or None while there is none.

    Where no server is known it is the true time. An answer to another question, such as one asked before the supply
    failed, is nobody's.
    """

    def __init__(self, routes: Routes, address: str | None):
        self._server = routes.named.get(NAME)
        self._own = (address, 0) if address is not None else None
        self._transport: asyncio.DatagramTransport | None = None
        self._stamps = count(1)
        self._answers: dict[bytes, float] = {}

    def __call__(self) -> Callable[[], float | None]:
        """Ask, from when the answer is first looked for."""
        server = self._server
        if server is None:
            return time.time
        question, asked_at = request(next(self._stamps)), -ANSWER_SECONDS
        self._answers.clear()

        def answer() -> float | None:
            nonlocal asked_at
            answer = self._answers.get(_stamp(question))
            if answer is None and time.monotonic() - asked_at > ANSWER_SECONDS:
                asked_at = time.monotonic()
                asyncio.get_running_loop().create_task(self._ask(server, question))
            return answer

        return answer

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        """An answer, which says to which question."""
        now = read_reply(data)
        if now is not None:
            self._answers = {data[24:32]: now}

    def error_received(self, _error: Exception) -> None:
        """Nobody is there: it is asked again."""

    def close(self) -> None:
        """Ask no more."""
        if self._transport is not None:
            self._transport.close()

    async def _ask(self, server: tuple[str, int], question: bytes) -> None:
        if self._transport is None:
            loop = asyncio.get_running_loop()
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: self, local_addr=self._own, remote_addr=server
                )
            except OSError:
                return
            self._transport = transport
        self._transport.sendto(question)


def _stamp(question: bytes) -> bytes:
    """What a server says in its answer of when it was asked."""
    return question[SIZE - 8 : SIZE]
