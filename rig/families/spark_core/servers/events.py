"""What happens in a Spark cloud, told to whoever subscribed: one dictionary an event, stamped with monotonic time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Subscriber = Callable[[Event], None]


class EventBus:
    """Hands events to subscribers as they happen."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Be told from now on; returns how to end that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def emit(self, event: str, core: str | None, **content: Any) -> None:
        """Something happened."""
        if self._subscribers:
            entry = {"event": event, "core": core, "at_ns": time.monotonic_ns(), **content}
            for subscriber in list(self._subscribers):
                subscriber(entry)
