"""Events for one reader of the control port: at once, but chunks that follow one another closely in one piece.

No real Core takes chunks so fast. A twin does, and to tell each one by itself takes longer than to send it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from rig.families.spark_core.servers.events import Event

#: For how long chunks are gathered; whatever else happens is told at once, and them with it.
TOGETHER_SECONDS = 0.005
MOST_QUEUED = 10_000


class Batches:
    """Filled by `put` until `end`; for a reader that is far too slow it `ends`, or events are lost."""

    def __init__(self, *, ends: bool):
        self._ends_when_full = ends
        self._loop = asyncio.get_running_loop()
        self._came: list[Event] = []
        self._news = asyncio.Event()
        self._told_at = 0.0
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None

    def put(self, event: Event) -> None:
        """Something happened."""
        if len(self._came) >= MOST_QUEUED:
            if self._ends_when_full:
                self.end()
            return
        self._came.append(event)
        if event["event"] != "chunk" or self._loop.time() >= self._told_at + TOGETHER_SECONDS:
            self._news.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(TOGETHER_SECONDS, self._news.set)

    def end(self) -> None:
        """Nothing more will come."""
        self._is_over = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        is_over = False
        while not is_over:
            await self._news.wait()
            self._news.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            events, self._came, is_over = self._came, [], self._is_over
            self._told_at = self._loop.time()
            if events:
                yield events
