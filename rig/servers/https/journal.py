"""What happens at an update server: told to whoever subscribed, and kept to be asked for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

Event = dict[str, Any]
Subscriber = Callable[[Event], None]
#: Entries of each log that are kept.
MOST_KEPT = 10_000


class Journal:
    """Hands events to subscribers as they happen; keeps what was asked, and who checked in."""

    def __init__(self) -> None:
        self.requests: deque[Event] = deque(maxlen=MOST_KEPT)
        self.check_ins: deque[Event] = deque(maxlen=MOST_KEPT)
        self._subscribers: list[Subscriber] = []

    def last(self, of: Iterable[Event], number: str, *, after: int, device: str | None, most: int) -> list[Event]:
        """The last of some entries, oldest first: those whose `number` is above `after`, and of one device or any.

        `of` begins with the newest; of more than are kept, all that are.
        """
        wanted = (entry for entry in of if entry[number] > after and device in (None, entry.get("device")))
        return [{**entry} for entry in reversed(list(islice(wanted, min(most, MOST_KEPT))))]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Be told from now on; returns how to end that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def tell(self, event: str, host: str | None, device: str | None, **content: Any) -> Event:
        """Something happened; returns what is told of it."""
        told = {"event": event, "host": host, "device": device, "at_ns": time.monotonic_ns(), **content}
        for subscriber in list(self._subscribers):
            subscriber({**told})
        return told
