"""Plan after plan: each is begun, swept and proved, and comes to one line. One that fails does not stop the others."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rig.errors import RigError
from rig.sweep.brick_map import BY_ITSELF
from rig.sweep.kept_sweep import KeptSweep, was_begun
from rig.sweep.plan import SweepPlan
from rig.sweep.rows import RowSweep
from rig.sweep.rows_report import checked_folder, has_rows, read_rows, write_rows
from rig.sweep.scenario import Settled
from rig.sweep.workers import Workers, WorkersLost


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What one plan came to. `points` are cuts, or rows of them; `seconds` go from its begin until it was swept."""

    plan: SweepPlan
    operations: int
    ends: Counter[Settled]
    starts: int
    proved: int
    seconds: float

    @property
    def points(self) -> int:
        """Cuts, or rows of cuts, that are answered."""
        return self.ends.total()

    @property
    def needs_hand(self) -> int:
        """Those after which a board does not come back by itself."""
        return sum(points for settled, points in self.ends.items() if settled.rung != BY_ITSELF)

    @property
    def share(self) -> float:
        """The part of all that those are."""
        return self.needs_hand / self.points

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "path": self.plan.path,
            "choices": dict(self.plan.choices),
            "operations": self.operations,
            "points": self.points,
            "starts": self.starts,
            "needs_hand": self.needs_hand,
            "share": round(self.share, 6),
            "seconds": round(self.seconds, 3),
            "proved": self.proved,
            "outcomes": [
                {"became": settled.became, "rung": settled.rung, "points": points}
                for settled, points in self.ends.most_common()
            ],
        }


@dataclass(frozen=True, slots=True)
class FailedPlan:
    """A plan that could not be swept, or whose proof failed; `exit_status` is the error's."""

    plan: SweepPlan
    error: str
    exit_status: int

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {"path": self.plan.path, "choices": dict(self.plan.choices), "error": self.error}


Turn = Callable[[], PlanLine]


def title_of(plan: SweepPlan) -> str:
    """A plan's path and choices, as a folder is called: no other plan of the campaign has the same."""
    return "-".join([plan.path, *(f"{name}-{value}" for name, value in plan.choices.items())])


@dataclass(frozen=True, slots=True)
class Campaign:
    """How plans are swept: by whom, with so many cuts in a row, proofs (None: every cut), and a folder for each."""

    workers: Workers
    cuts: int
    prove: int | None
    report: Path | None = None
    resume: bool = False

    def lines(self, plans: Iterable[SweepPlan]) -> Iterator[PlanLine | FailedPlan]:
        """One line a plan, in their order. Raises WorkersLost."""
        turns: deque[tuple[SweepPlan, Turn]] = deque()
        for plan in plans:
            turns.append((plan, self._begun(plan)))
            if len(turns) > self.workers.ahead:
                yield _line(*turns.popleft())
        while turns:
            yield _line(*turns.popleft())

    def _begun(self, plan: SweepPlan) -> Turn:
        try:
            return self._begin_rows(plan) if self.cuts > 1 else self._begin(plan)
        except RigError as error:
            return _failing(error)

    def _begin(self, plan: SweepPlan) -> Turn:
        folder = self._folder(plan)
        resume = self.resume and folder is not None and was_begun(folder)
        began, sweep = time.monotonic(), KeptSweep(plan, self.workers, folder, resume=resume)

        def turn() -> PlanLine:
            for _ in sweep.results():
                pass
            progress, swept = sweep.whole.progress, time.monotonic() - began
            proved = sweep.whole.prove(progress.points if self.prove is None else self.prove)
            sweep.draw()
            operations = sweep.whole.scenario.update.operations
            return PlanLine(plan, operations, progress.count(), progress.starts, proved, swept)

        return turn

    def _begin_rows(self, plan: SweepPlan) -> Turn:
        folder = self._folder(plan)
        if self.resume and folder is not None and has_rows(folder):
            return partial(_line_of_rows, plan, read_rows(folder, plan, self.cuts))
        kept = checked_folder(folder) if folder is not None else None
        began, sweep = time.monotonic(), RowSweep(plan, self.cuts)
        results = self.workers.sweep_rows(sweep)

        def turn() -> PlanLine:
            for _ in results:
                pass
            swept, proved = time.monotonic() - began, sweep.prove(self.prove)
            if kept is not None:
                write_rows(kept, plan, sweep.groups)
            return PlanLine(plan, sweep.scenario.update.operations, sweep.count(), sweep.starts, proved, swept)

        return turn

    def _folder(self, plan: SweepPlan) -> Path | None:
        return self.report / title_of(plan) if self.report is not None else None


def _line_of_rows(plan: SweepPlan, ends: Counter[Settled]) -> PlanLine:
    """Of a plan that was swept before; nobody is started for it."""
    return PlanLine(plan, plan.scenario().update.operations, ends, starts=0, proved=0, seconds=0.0)


def _line(plan: SweepPlan, turn: Turn) -> PlanLine | FailedPlan:
    try:
        return turn()
    except WorkersLost:
        raise
    except RigError as error:
        return FailedPlan(plan, str(error), error.exit_status)


def _failing(error: RigError) -> Turn:
    def turn() -> PlanLine:
        raise error

    return turn
