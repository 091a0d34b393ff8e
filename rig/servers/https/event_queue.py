"""Events on their way to one reader of a control port: in order, and no more than a reader may be behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from rig.errors import LabFault
from rig.lines import ByteBudget
from rig.servers.https.journal import Event, size_of


class EventQueue:
    """Filled by `put`; what waits counts among what all readers `shared` have waiting. Close it when nobody reads."""

    def __init__(self, most: int, shared: ByteBudget):
        self._most, self._shared = most, shared
        self._came: asyncio.Queue[tuple[Event, int] | None] = asyncio.Queue()
        self._counted = 0
        self._is_full = False

    def put(self, event: Event) -> None:
        """Something happened; a reader who is too far behind is told no more."""
        size = size_of(event)
        if self._is_full:
            return
        if self._came.qsize() >= self._most or not self._shared.take(size):
            self._is_full = True
            self._came.put_nowait(None)
            return
        self._counted += size
        self._came.put_nowait((event, size))

    async def __aiter__(self) -> AsyncIterator[Event]:
        """What happened. Raises LabFault behind the last event before some were lost."""
        while (next_one := await self._came.get()) is not None:
            event, size = next_one
            self._give_back(size)
            yield event
        raise LabFault("events were lost: too many were not read")

    def close(self) -> None:
        """Nobody reads any more."""
        self._is_full = True
        self._give_back(self._counted)

    def _give_back(self, size: int) -> None:
        self._counted -= size
        self._shared.give_back(size)
