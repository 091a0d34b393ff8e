"""A chunk of a sweep: the cuts in a stretch of operations, before each and with every tear of it.

It needs the scenario and two numbers, may be done anywhere and again, and says how many cuts it answered and with how
many starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rig.sweep.cut_points import BEFORE, Flash, tears_of
from rig.sweep.known_starts import Known, KnownStarts
from rig.sweep.scenario import Scenario, Settled, Update
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


@dataclass(frozen=True, slots=True)
class Answer:
    """Cuts `first`…`last` with the same tear, whose boards are the same to a start that was made."""

    tear: str
    first: int
    last: int
    known: Known


class ChunkSweep:
    """Sweeps chunks of one update, and keeps the starts it has made from one chunk to the next.

    The update is the scenario's, if no other is given: what a board does by itself after a cut can be cut, too.
    """

    def __init__(
        self,
        scenario: Scenario,
        tears: Sequence[str],
        seed: int,
        *,
        update: Update | None = None,
        starts: KnownStarts | None = None,
    ):
        self.update = update or scenario.update
        self._tears = tears
        self._flash = Flash(scenario.memory(), self.update, seed)
        self._starts = starts or KnownStarts(scenario)

    def sweep_all(self) -> ChunkResult:
        """Every cut of the update."""
        return self.sweep(0, self.update.operations + 1)

    def settle(self, contents: Contents) -> Settled:
        """How a board with these contents settles, as far as the starts that were made know it."""
        return self._starts.settle(contents).settled

    def sweep(self, begin: int, end: int) -> ChunkResult:
        """All cuts at `begin`…`end`-1; the number behind the last operation is the update that was not cut."""
        made, spans = self._starts.made, Spans()
        for answer in self.answers(begin, end):
            spans.add(answer.tear, answer.first, answer.last, answer.known.settled)
        found = tuple(spans.all())
        return ChunkResult(begin, end, found, sum(span.count for span in found), self._starts.made - made)

    def answers(self, begin: int, end: int) -> Iterator[Answer]:
        """The same, in order, as the starts tell them apart."""
        self._flash.go_to(begin)
        while self._flash.k < min(end, self.update.operations):
            run = self.update.runs[self.update.run_of(self._flash.k)]
            yield from self._sweep_run(run, min(end, run.first + run.count))
        if end > self.update.operations:
            yield Answer(BEFORE, self.update.operations, self.update.operations, self._settle())

    def _sweep_run(self, run: Run, end: int) -> Iterator[Answer]:
        flash, tears = self._flash, tears_of(run, self._tears)
        part = flash.part_of(run)
        while flash.k < end:
            known, k = self._settle(), flash.k
            same = self._same_until(known, run, part, end)
            yield Answer(BEFORE, k, max(same - 1, k), known)
            for tear in tears:
                if same > k:
                    yield Answer(tear, k, same - 1, known)
                else:
                    with flash.torn(run, tear):
                        torn = self._settle()
                    yield Answer(tear, k, k, torn)
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
