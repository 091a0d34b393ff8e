"""What a sweep finds beside what is documented of a path: ends that no row of the reference's table names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rig.sweep.capsule import Capsule
from rig.sweep.cut_points import BEFORE
from rig.sweep.plan import SweepPlan
from rig.sweep.scenario import Settled, Update
from rig.sweep.spans import Span

#: What boards become after cuts in each phase of a path, by all that is documented.
Documented = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Discovery:
    """Cuts in a phase after which boards end as nobody has written down, and the first of them."""

    phase: str
    settled: Settled
    points: int
    capsule: str

    def __str__(self) -> str:
        cuts = "1 cut" if self.points == 1 else f"{self.points:,} cuts"
        return f"{self.phase}: {self.settled.became} after {cuts}: rig replay '{self.capsule}'"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "phase": self.phase,
            "became": self.settled.became,
            "rung": self.settled.rung,
            "points": self.points,
            "capsule": self.capsule,
        }


def discoveries(plan: SweepPlan, update: Update, spans: Iterable[Span], documented: Documented) -> list[Discovery]:
    """All, in order of the update. A phase of which nothing is documented discovers nothing.

    A cut between two phases may end as in either; one before all operations, or behind them, cuts nothing.
    """
    found: dict[tuple[str, Settled], tuple[int, tuple[int, str]]] = {}
    for span in spans:
        for phase, first, last in _pieces(update, span):
            if phase in documented and span.settled.became not in documented[phase]:
                points, cut = found.get((phase, span.settled), (0, (first, span.tear)))
                found[phase, span.settled] = (points + last - first + 1, min(cut, (first, span.tear)))
    return [
        Discovery(phase, settled, points, str(Capsule.of(plan, (cut,), settled)))
        for (phase, settled), (points, cut) in sorted(found.items(), key=lambda item: item[1][1])
    ]


def _pieces(update: Update, span: Span) -> Iterator[tuple[str, int, int]]:
    """A span by phases, without cuts that are between two or cut nothing."""
    previous = ""
    for run, phase in zip(update.runs, update.phases, strict=True):
        begins = run.first + (span.tear == BEFORE and phase != previous)
        first, last = max(span.first, begins), min(span.last, run.first + run.count - 1)
        if first <= last:
            yield phase, first, last
        previous = phase
