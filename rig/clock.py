"""Time that can be injected, and deadlines that say what they wait for: nothing in the rig just sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rig.errors import LabFault

T = TypeVar("T")


class Clock:
    """The machine's monotonic clock; tests hand in one of their own."""

    def now(self) -> float:
        """Seconds, monotonic."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        time.sleep(seconds)


def wait_for(
    look: Callable[[], T | None], *, seconds: float, reason: str, clock: Clock, board: str, every: float = 0.02
) -> T:
    """Look until there is something (neither None nor False), at the longest `seconds`.

    Raises LabFault that says what was waited for.
    """
    seen = look_for(look, seconds=seconds, clock=clock, every=every)
    if seen is None:
        raise LabFault(f"waited {seconds:.1f} s for {reason}", board=board)
    return seen


def look_for(look: Callable[[], T | None], *, seconds: float, clock: Clock, every: float = 0.02) -> T | None:
    """Like `wait_for`, but None when there was nothing in time."""
    deadline = clock.now() + seconds
    while True:
        seen = look()
        if seen is not None and seen is not False:
            return seen
        if clock.now() >= deadline:
            return None
        clock.sleep(every)
