"""Time that can be injected, and deadlines that say what they wait for: nothing in the rig just sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rig.errors import LabFault

T = TypeVar("T")

#: How much work shows how busy the machine is: more than a scheduler's turn, which is 3 ms.
PROBE_SECONDS = 0.01
#: A machine that is busier is waited for no longer: what takes 20 times as long hangs, for all that anybody can tell.
MOST_SLOWDOWN = 20.0
#: How often that is looked at while somebody waits.
PROBE_EVERY_SECONDS = 1.0
#: What is left of a deadline by rounding alone.
TICK_SECONDS = 0.001


class Clock:
    """The machine's monotonic clock; tests hand in one of their own."""

    def now(self) -> float:
        """Seconds, monotonic."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        time.sleep(seconds)

    def slowdown(self) -> float:
        """How many times as long work takes now as it does on this machine alone: from 1 to MOST_SLOWDOWN."""
        begun, worked = time.monotonic(), time.thread_time()
        while time.thread_time() - worked < PROBE_SECONDS:
            pass
        return min(max((time.monotonic() - begun) / PROBE_SECONDS, 1.0), MOST_SLOWDOWN)


class Deadline:
    """The end of `seconds` from now on, counted as a machine gives them that does nothing else.

    Boards on a busy machine are slow because of it, and not because they hang: a second there counts for less.
    """

    def __init__(self, seconds: float, clock: Clock):
        self._clock, self._left, self._since = clock, seconds, clock.now()

    def left(self) -> float:
        """Seconds until it is to be asked again; 0 when it is over."""
        passed = self._clock.now() - self._since
        if 0 < self._left <= passed or passed >= PROBE_EVERY_SECONDS:
            self._left -= passed / self._clock.slowdown()
            self._since, passed = self._clock.now(), 0.0
        return min(max(self._left - passed, 0.0), PROBE_EVERY_SECONDS) if self._left > TICK_SECONDS else 0.0


def wait_for(
    look: Callable[[], T | None], *, seconds: float, reason: str, clock: Clock, board: str, every: float = 0.02
) -> T:
    """Look until there is something (neither None nor False), at the longest `seconds`, more on a busy machine.

    Raises LabFault that says what was waited for.
    """
    seen = poll(look, seconds=seconds, clock=clock, every=every)
    if seen is None:
        raise LabFault(f"waited {seconds:.1f} s for {reason}", board=board)
    return seen


def poll(look: Callable[[], T | None], *, seconds: float, clock: Clock, every: float = 0.02) -> T | None:
    """Like `wait_for`, but None when there was nothing in time."""
    deadline = Deadline(seconds, clock)
    while True:
        seen = look()
        if seen is not None and seen is not False:
            return seen
        if not deadline.left():
            return None
        clock.sleep(every)


def wait_fixed(seconds: float, clock: Clock) -> None:
    """Give something its time that nothing tells the end of: `seconds`, more on a busy machine."""
    poll(lambda: None, seconds=seconds, clock=clock)
