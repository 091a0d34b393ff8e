"""One update on the model: flash before it, the operations that it makes, and how a cold start settles."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rig.errors import LabFault
from rig.twin.flash import Run
from rig.twin.memory import Contents, Memory


class Settled(NamedTuple):
    """How a start ended: what the board became, and the lowest rung that heals it.

    `became` is the role of the image that runs, or how the board stands there; `rung` is as in a ledger's outcome.
    """

    became: str
    rung: str


@dataclass(frozen=True, slots=True)
class Update:
    """The operations of one whole update from `before` on, numbered from 0, and the phase that each run belongs to."""

    before: Contents
    runs: Sequence[Run]
    phases: Sequence[str]

    @property
    def operations(self) -> int:
        """How many there are."""
        return self.runs[-1].first + self.runs[-1].count if self.runs else 0

    def run_of(self, k: int) -> int:
        """The number of the run that operation `k` belongs to."""
        return bisect_right(self.runs, k, key=lambda run: run.first) - 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """An update of one kind of board.

    `memory` makes memories of the board's shape; `start` lets a board with a memory start cold, and follows it until it
    settles. Each start of the same memory ends the same way.
    """

    kind: str
    memory: Callable[[], Memory]
    update: Update
    start: Callable[[Memory], Settled]


def checked(update: Update) -> Update:
    """An update with every operation that it numbers. Raises LabFault where the journal forgot some."""
    expected = 0
    for run in update.runs:
        if run.first != expected:
            raise LabFault(f"the journal of the update has lost operations {expected} to {run.first}")
        expected += run.count
    return update
