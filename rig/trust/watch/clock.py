"""The watch's time: the day it is, seconds that only go forward, and pauses that do not block."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from rig.clock import Clock


class WatchClock(Clock):
    """The machine's; tests hand in one of their own."""

    def date(self) -> datetime:
        """What day and time it is, UTC: what is written down, and what certificates are judged by."""
        return datetime.now(UTC)

    async def pause(self, seconds: float) -> None:
        """Let `seconds` pass while others work."""
        await asyncio.sleep(seconds)
