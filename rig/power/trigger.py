"""Where a cut is meant to fall: a thing that happens on an update path, and a delay after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rig.drivers.progress import Progress


@dataclass(frozen=True, slots=True)
class Aim:
    """Cut `delay_ms` after the device begins the first piece of `phase` that reaches `share` of the whole.

    Pieces are pages in erase, blocks in program; commit is one piece.
    """

    phase: str
    share: float = 0.5
    delay_ms: float = 0.0

    def matches(self, progress: Progress) -> bool:
        """Whether this event is the one."""
        return progress.phase == self.phase and progress.done >= self.share * progress.total

    def command_after(self, lead_ms: float) -> float:
        """How many ms after its trigger a cut's command leaves that is to take effect `lead_ms` later."""
        return max(self.delay_ms - lead_ms, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)
