"""How long things take on a place's boards, and so how long to wait for them.

Numbers are of a Core at full speed (reference/spark-core.md §3.1); a place whose boards run faster says so in its tag
`timing_scale`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Added to every deadline: what the host, the network and the relay may take.
MARGIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing profile of one place; all properties are in seconds."""

    scale: float = 1.0
    #: How far poll times that a device asks for are stretched.
    poll_scale: float = 1.0

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Timing:
        """Read the profile from a place's tags; a scale of 0 leaves a board's timers as they are."""
        scale = float(tags.get("timing_scale", "1"))
        return cls(scale or 1.0, scale)

    @property
    def mode_hold(self) -> float:
        """How long to hold MODE from power-on: between 3 s (DFU) and 10 s (factory reset)."""
        return 5.0 * self.scale

    @property
    def start(self) -> float:
        """From power-on to listening mode, or to DFU, at the longest."""
        return 2.0 * self.scale + MARGIN_SECONDS

    @property
    def self_healing(self) -> float:
        """Three watchdog resets of at most 6.7 s, a rollback of 8 s and a start."""
        return (3 * 6.7 + 8 + 2) * self.scale + MARGIN_SECONDS

    @property
    def off(self) -> float:
        """Until a board whose supply was cut is gone from USB."""
        return MARGIN_SECONDS
