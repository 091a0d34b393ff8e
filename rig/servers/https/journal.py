"""What happens at an update server: told to whoever subscribed, and kept to be asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from rig.bounded_log import BoundedLog
from rig.limits import MIB

Event = dict[str, Any]
Subscriber = Callable[[Event], None]
#: Entries of each log that are kept, and what they take; one of a board takes 1 KB.
MOST_KEPT, MOST_KEPT_BYTES = 10_000, 16 * MIB
#: What is told of a text that a client sent, and of how many headers: none of a board's is longer, or has more.
LONGEST_TEXT, MOST_HEADERS = 512, 48


class Journal:
    """Hands events to subscribers as they happen; keeps what was asked, and who checked in."""

    def __init__(self) -> None:
        self.requests = BoundedLog(MOST_KEPT, MOST_KEPT_BYTES, size_of)
        self.check_ins = BoundedLog(MOST_KEPT, MOST_KEPT_BYTES, size_of)
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

    def emit(self, event: str, host: str | None, device: str | None, **content: Any) -> Event:
        """Something happened; returns what is told of it."""
        entry = {"event": event, "host": host, "device": device, "at_ns": time.monotonic_ns(), **content}
        for subscriber in list(self._subscribers):
            subscriber({**entry})
        return entry


def clipped(text: str) -> str:
    """A client's text as it is told of."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text)} characters)"


def size_of(event: Event) -> int:
    """About how many bytes an event takes, in memory or as JSON, where what is no ASCII has six letters each."""
    texts = [value for value in event.values() if isinstance(value, str)]
    for inner in event.values():
        if isinstance(inner, dict):
            texts += [*inner, *map(str, inner.values())]
    return 600 + sum(60 + (len(text) if text.isascii() and text.isprintable() else 6 * len(text)) for text in texts)
