"""Events and subscriptions of a Core: what its rate lets out, what it asks for, what reaches user code.

The rate is kept in a ring of five times, where refused events count too (core-communication-lib
src/spark_protocol.cpp, send_event; device-os v0.4.4 has events of the system apart).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from rig.families.spark_core.formats.messages import LONGEST_NAME, Published, Subscription
from rig.families.spark_core.twin.app.channel import Channel
from rig.families.spark_core.twin.app.dialect import Dialect

#: Events a Core lets out within one second, and how many it subscribes to.
BURST, MOST_SUBSCRIPTIONS = 4, 4
SYSTEM = Subscription("spark")
#: How much of a device's id is kept for later connections.
_LONGEST_KNOWN_DEVICE = 12
#: Events of the system within 65,536 ms.
_SYSTEM_BURST, _SYSTEM_WINDOW_BITS = 255, 16


class Publisher:
    """Sends events. `uptime` tells milliseconds since the firmware started, `held_back` whether an update holds."""

    def __init__(
        self, dialect: Dialect, channel: Channel, uptime: Callable[[], int], held_back: Callable[[], bool]
    ) -> None:
        self._dialect, self._channel, self._uptime, self._held_back = dialect, channel, uptime, held_back
        self._asked: deque[int] = deque([-1000] * (BURST + 1), maxlen=BURST + 1)
        self._system_window = self._system_count = 0

    def publish(self, event: Published) -> bool:
        """Publish, unless there were too many just now or an update is under way."""
        if self._held_back():
            return False
        spared = self._dialect.spares_system_events and event.name[: len(SYSTEM.prefix)].lower() == SYSTEM.prefix
        if not (self._system_rate() if spared else self._rate()):
            return False
        data = event.data if event.data is None else event.data[: self._dialect.longest_data]
        cut = replace(event, name=event.name[:LONGEST_NAME], data=data)
        self._channel.say(cut.pack(self._channel.next_mid()))
        return True

    def _rate(self) -> bool:
        self._asked.append(self._uptime())
        return self._asked[-1] - self._asked[0] >= 1000

    def _system_rate(self) -> bool:
        window = self._uptime() >> _SYSTEM_WINDOW_BITS
        if window != self._system_window:
            self._system_window, self._system_count = window, 0
        if self._system_count >= _SYSTEM_BURST:
            return False
        self._system_count += 1
        return True


class Subscriptions:
    """What user code subscribes to: sent once when it begins; from 0.4 on again with each later connection."""

    def __init__(self, dialect: Dialect, channel: Channel, wanted: Sequence[Subscription]):
        self._dialect, self._channel = dialect, channel
        self._wanted = wanted[:MOST_SUBSCRIPTIONS] if dialect.subscribes else ()
        self._known: list[Subscription] = []

    def begin(self) -> None:
        """User code begins: once after a reset."""
        for subscription in self._wanted:
            self._known.append(subscription)
            self._ask(subscription)

    def repeat(self) -> None:
        """The system's own, and those that are known by now."""
        for known in (SYSTEM, *self._known):
            self._ask(replace(known, device=known.device and known.device[:_LONGEST_KNOWN_DEVICE]))

    def wants(self, name: str) -> bool:
        """Whether user code hears of an event."""
        return any(name.startswith(subscription.prefix) for subscription in self._known)

    def _ask(self, subscription: Subscription) -> None:
        self._channel.say(subscription.pack(self._channel.next_mid()))
