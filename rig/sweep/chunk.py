"""A chunk of a sweep: the cuts in a stretch of operations, before each and with every tear of it.

It needs the scenario and two numbers, may be done anywhere and again, and says how many cuts it answered and with how
many starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rig.sweep.cut_points import BEFORE, Flash, tears_of
from rig.sweep.known_starts import Known, KnownStarts
from rig.sweep.scenario import Scenario, Settled
from rig.sweep.spans import Span, Spans
from rig.twin.flash import Run
from rig.twin.memory import Contents


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What became of all cuts at operations `begin`…`end`-1."""

    begin: int
    end: int
    spans: tuple[Span, ...]
    points: int
    starts: int


class ChunkSweep:
    """Sweeps chunks of one scenario, and keeps the starts it has made from one chunk to the next."""

    def __init__(self, scenario: Scenario, tears: Sequence[str], seed: int):
        self._scenario, self._tears = scenario, tears
        self._flash = Flash(scenario.memory(), scenario.update, seed)
        self._starts = KnownStarts(scenario)

    def sweep_all(self) -> ChunkResult:
        """Every cut of the scenario."""
        return self.sweep(0, self._scenario.update.operations + 1)

    def settle(self, contents: Contents) -> Settled:
        """How a board with these contents settles, as far as the starts that were made know it."""
        return self._starts.settle(contents).settled

    def sweep(self, begin: int, end: int) -> ChunkResult:
        """All cuts at `begin`…`end`-1; the number behind the last operation is the update that was not cut."""
        made, spans, update = self._starts.made, Spans(), self._scenario.update
        self._flash.go_to(begin)
        while self._flash.k < min(end, update.operations):
            run = update.runs[update.run_of(self._flash.k)]
            self._sweep_run(run, min(end, run.first + run.count), spans)
        if end > update.operations:
            spans.add(BEFORE, update.operations, update.operations, self._settle().settled)
        found = tuple(spans.all())
        return ChunkResult(begin, end, found, sum(span.count for span in found), self._starts.made - made)

    def _sweep_run(self, run: Run, end: int, spans: Spans) -> None:
        flash, tears = self._flash, tears_of(run, self._tears)
        part = flash.part_of(run)
        while flash.k < end:
            known, k = self._settle(), flash.k
            same = self._same_until(known, run, part, end)
            spans.add(BEFORE, k, max(same - 1, k), known.settled)
            for tear in tears:
                if same > k:
                    spans.add(tear, k, same - 1, known.settled)
                else:
                    with flash.torn(run, tear):
                        spans.add(tear, k, k, self._settle().settled)
            flash.go_on(run, max(same, k + 1))

    def _same_until(self, known: Known, run: Run, part: int, end: int) -> int:
        """The first operation from here on that changes a page which the known start depended on; `end` if none."""
        here = self._flash.pages_of(run, self._flash.k)
        page = known.next_page(part, here.start)
        if page is None:
            return end
        if page < here.stop:
            return self._flash.k
        base = self._flash.pages_of(run, run.first).start
        size = self._flash.page_size(part)
        offset = self._flash.offset_in_page(run)
        return min(end, run.first + ((page - base) * size - offset) // run.unit)

    def _settle(self) -> Known:
        return self._starts.settle(self._flash.parts)
