"""A whole sweep of cuts in a row: results of stretches of first cuts, here or from a cluster, each taken in once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rig.sweep.chunks import Chunk, gaps, is_missing
from rig.sweep.cuts_in_a_row import CutsInARow, LastCuts
from rig.sweep.plan import SweepPlan
from rig.sweep.scenario import Scenario, Settled

#: First cuts of one result, at the least: shorter runs are swept together.
FEWEST = 64


@dataclass(frozen=True, slots=True)
class RowsResult:
    """What becomes of all rows of cuts whose first cut is at operations `begin`…`end`-1."""

    begin: int
    end: int
    groups: tuple[LastCuts, ...]
    starts: int


class RowChunks:
    """Sweeps stretches of first cuts of one update, and keeps the starts it has made from one to the next."""

    def __init__(self, scenario: Scenario, plan: SweepPlan, cuts: int):
        self._rows = CutsInARow(scenario, plan.tears, plan.seed, cuts)

    def sweep(self, begin: int, end: int) -> RowsResult:
        """All rows whose first cut is there. Raises LabFault."""
        made = self._rows.starts.made
        groups = tuple(self._rows.sweep(begin, end))
        return RowsResult(begin, end, groups, self._rows.starts.made - made)


class RowSweep:
    """All rows of `cuts` cuts of a plan, and what is known of them."""

    def __init__(self, plan: SweepPlan, cuts: int):
        self.plan, self.cuts = plan, cuts
        self.scenario = plan.scenario()
        self._results: dict[Chunk, RowsResult] = {}

    @property
    def first_cuts(self) -> int:
        """Operations at which a first cut may be, the one behind the last too."""
        return self.scenario.update.operations + 1

    @property
    def gaps(self) -> list[Chunk]:
        """Stretches of first cuts that are not done yet."""
        return gaps(self.first_cuts, self._results)

    @property
    def groups(self) -> list[LastCuts]:
        """Everything that is known, by first cuts."""
        return [group for _, result in sorted(self._results.items()) for group in result.groups]

    @property
    def starts(self) -> int:
        """Starts that were made for it."""
        return sum(result.starts for result in self._results.values())

    def count(self) -> Counter[Settled]:
        """How many rows ended how."""
        return sum((group.count() for group in self.groups), start=Counter[Settled]())

    def run(self) -> Iterator[RowsResult]:
        """Sweep all of it here, some runs of operations after the other. Raises LabFault."""
        chunks, begin = RowChunks(self.scenario, self.plan, self.cuts), 0
        for run in self.scenario.update.runs:
            if (end := run.first + run.count) - begin >= FEWEST and end < self.first_cuts - 1:
                yield self._merged(chunks.sweep(begin, end))
                begin = end
        yield self._merged(chunks.sweep(begin, self.first_cuts))

    def _merged(self, result: RowsResult) -> RowsResult:
        self.merge(result)
        return result

    def merge(self, result: RowsResult) -> bool:
        """Take a result in, wherever it comes from; False for one of first cuts that are done already."""
        is_new = is_missing(result.begin, result.end, self.gaps)
        if is_new:
            self._results[result.begin, result.end] = result
        return is_new

    def prove(self, count: int | None) -> int:
        """Start boards whole after so many rows drawn at random, or after all; returns how many.

        Raises LabFault where one settles otherwise, Misuse where all are too many.
        """
        rows = CutsInARow(self.scenario, self.plan.tears, self.plan.seed, self.cuts)
        return rows.prove_all(self.groups) if count is None else rows.prove(self.groups, count)
