"""Delivery: every channel empties its own queue, and waits longer after each failure; none waits for another.

At least once: an alert leaves the queue when its receiver has taken it and that is on the disk. It comes again, with
the same `alert` id, only where the watch died, or lost the answer, between the one and the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from rig.errors import LabFault
from rig.trust.watch.channel import Channel, Undelivered
from rig.trust.watch.clock import WatchClock
from rig.trust.watch.state import Outbox, WatchState

#: Seconds after the first failure; then twice as many each time, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0
#: How long a delivery that is under way may take when the watch ends.
LAST_SECONDS = 5.0


class Deliveries:
    """The channels of a watch at work on the queues of its state."""

    def __init__(
        self, state: WatchState, channels: Sequence[Channel], clock: WatchClock, on_message: Callable[[str], None]
    ):
        self._state, self._channels, self._clock, self._on_message = state, tuple(channels), clock, on_message
        self._news = {channel.name: asyncio.Event() for channel in channels}
        self._over = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Deliver what is queued and what will be, until `close`."""
        self._workers = [asyncio.create_task(self._work(channel)) for channel in self._channels]

    def wake(self) -> None:
        """There is something new in some queue."""
        for news in self._news.values():
            news.set()

    async def drain(self) -> None:
        """Deliver what is queued now; a channel that fails, or is not to be tried yet, keeps the rest."""
        await asyncio.gather(*map(self._empty, self._channels))

    async def close(self) -> None:
        """End: what is under way may end within seconds; what is left stays queued."""
        self._over.set()
        self.wake()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=LAST_SECONDS)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    async def _empty(self, channel: Channel) -> None:
        box = self._box(channel)
        while box.queue and self._pause(box) == 0 and await self._deliver(channel, box):
            pass

    async def _work(self, channel: Channel) -> None:
        news = self._news[channel.name]
        while not self._over.is_set():
            box = self._box(channel)
            if not box.queue:
                news.clear()
                await news.wait()
            elif pause := self._pause(box):
                await self._rest(pause)
            else:
                await self._deliver(channel, box)

    async def _rest(self, seconds: float) -> None:
        """Let seconds pass, or less if it ends."""
        ways = [asyncio.create_task(self._clock.pause(seconds)), asyncio.create_task(self._ended())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    async def _deliver(self, channel: Channel, box: Outbox) -> bool:
        """Send the first alert of a queue; returns whether it was taken."""
        alert = box.queue[0]
        try:
            await channel.send(alert)
        except Exception as error:
            # Whatever a channel breaks on, the alert stays queued, and others go on.
            why = (
                error.message if isinstance(error, Undelivered) else f"{channel.name}: {type(error).__name__}: {error}"
            )
            pause = min(FIRST_PAUSE * 2.0 ** min(box.failures, 20), LONGEST_PAUSE)
            self._on_message(f"alert {alert.alert} waits for {channel.name}, {pause:.0f} s until the next try: {why}")
            self._write_down(lambda: self._state.failed(channel.name, alert.alert, self._in(pause)))
            return False
        self._write_down(lambda: self._state.delivered(channel.name, alert.alert))
        return True

    async def _ended(self) -> None:
        await self._over.wait()

    def _box(self, channel: Channel) -> Outbox:
        return self._state.outboxes.setdefault(channel.name, Outbox())

    def _pause(self, box: Outbox) -> float:
        """Seconds until it may be tried again; never longer than the longest, however a clock was set."""
        if box.retry_at is None:
            return 0.0
        return min(max((box.retry_at - self._clock.date()).total_seconds(), 0.0), LONGEST_PAUSE)

    def _in(self, seconds: float) -> datetime:
        return self._clock.date() + timedelta(seconds=seconds)

    def _write_down(self, step: Callable[[], None]) -> None:
        try:
            step()
        except LabFault as error:
            self._on_message(str(error))
