"""How much sooner a cut's command must leave than it is to take effect: learned from the cut before."""

from __future__ import annotations

from collections.abc import Mapping

from rig.boards.timing import number_of

#: A relay that took so much more or less than was reckoned with missed by itself: that is no try of the aim.
LATE_MS = 10.0


class Lead:
    """Of one board; how late its relay may be is what the place's tag `relay_ms` says."""

    def __init__(self, tags: Mapping[str, str]):
        self._relay_ms = number_of(tags, "relay_ms", "0")
        #: How much sooner the next command is to leave.
        self.ms = 0.0

    def longer_ms(self, took_ms: float) -> float:
        """How much longer than the tag says a cut took that took so long."""
        return max(took_ms - self._relay_ms, 0.0)

    def learn(self, took_ms: float) -> bool:
        """Reckon with it from now on; returns whether this cut was late, or early, by itself."""
        longer_ms = self.longer_ms(took_ms)
        is_late = abs(longer_ms - self.ms) > LATE_MS
        self.ms = longer_ms
        return is_late
