"""A time-out for a server, which counts only while this process has time for it: a busy machine proves nothing."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

#: How often it is seen whether the event loop comes round in time.
BEAT = 0.1
#: So many times as long as it should is as long as it lasts, however busy the machine is.
LONGEST = 6
#: Who keeps a server waiting for longer must not wonder that it hangs up: many give a client five seconds.
LATE = 1.0


class BusyAwareTimeout:
    """`async with BusyAwareTimeout(seconds) as timeout`: like `asyncio.timeout`, and time that the loop was late is not
    counted, up to `LONGEST` times as long in all. Raises TimeoutError.

    Bytes that came in time are read before a beat counts, so whoever answers within `seconds` is heard, however late.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        #: Seconds that this process was late, all together.
        self.late = 0.0
        self._spent = 0.0
        self._beat = min(BEAT, seconds / 4)
        self._limit = asyncio.timeout(None)

    @property
    def is_late(self) -> bool:
        """Whether what a server did may be for our own slowness: it was kept waiting."""
        return self.late > LATE

    @property
    def is_lost(self) -> bool:
        """Whether it ended without the server having had its time."""
        return self._limit.expired() and self._spent < self.seconds

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._await_beat()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _await_beat(self) -> None:
        self._due = _now() + self._beat
        self._timer = asyncio.get_running_loop().call_later(self._beat, self._count)

    def _count(self) -> None:
        self.late += max(_now() - self._due, 0)
        self._spent += self._beat
        if self._spent >= self.seconds or self._spent + self.late >= LONGEST * self.seconds:
            self._limit.reschedule(asyncio.get_running_loop().time())
        else:
            self._await_beat()


def _now() -> float:
    return time.monotonic()
