"""Two cuts in a row: after each first one, every cut of what the board then does by itself.

First cuts whose boards are the same to a start do the same afterwards, so one of them stands for all; but their flash
is not the same. Where a start after a second cut depends on pages that differ among them, they are taken apart.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rig.errors import LabFault
from rig.sweep.capsule import Capsule, Cuts
from rig.sweep.chunk import Answer, ChunkSweep
from rig.sweep.cut_points import Flash, contents_at
from rig.sweep.known_starts import Known, KnownStarts
from rig.sweep.plan import SweepPlan
from rig.sweep.replay import recovery_from, settle_after
from rig.sweep.scenario import Scenario, Settled, Update
from rig.sweep.spans import Span, Spans


@dataclass(frozen=True, slots=True)
class SecondCuts:
    """First cuts that are the same to the board, and what becomes of it after every second cut."""

    first: Answer
    spans: tuple[Span, ...]

    @property
    def points(self) -> int:
        """Pairs of cuts."""
        return (self.first.last - self.first.first + 1) * sum(span.count for span in self.spans)

    def count(self) -> Counter[Settled]:
        """How many pairs ended how."""
        times, ends = self.first.last - self.first.first + 1, Counter[Settled]()
        for span in self.spans:
            ends[span.settled] += times * span.count
        return ends


@dataclass(frozen=True, slots=True)
class End:
    """How pairs of cuts ended, how many did, and one of them."""

    settled: Settled
    points: int
    capsule: str


def ends_of(plan: SweepPlan, groups: Sequence[SecondCuts]) -> list[End]:
    """Every end of a sweep's pairs, the most frequent first."""
    points, cuts = Counter[Settled](), dict[Settled, Cuts]()
    for group in groups:
        points += group.count()
        for span in group.spans:
            pair = ((group.first.first, group.first.tear), (span.first, span.tear))
            cuts.setdefault(span.settled, pair)
    return [End(end, count, str(Capsule.of(plan, cuts[end], end))) for end, count in points.most_common()]


class TwoCuts:
    """All pairs of cuts of one scenario."""

    def __init__(self, scenario: Scenario, tears: Sequence[str], seed: int):
        self._scenario, self._tears, self._seed = scenario, tears, seed
        self._flash = Flash(scenario.memory(), scenario.update, seed)
        self.starts = KnownStarts(scenario)

    def prove(self, groups: Sequence[SecondCuts], count: int) -> int:
        """Start boards whole after `count` pairs drawn at random; returns how many.

        Each group has the same chance: most pairs are in few of them. Raises LabFault where one settles otherwise.
        """
        rng = random.Random(f"proof:{self._seed}")
        for _ in range(count):
            group = rng.choice(groups)
            span = rng.choice(group.spans)
            cuts = (
                (rng.randint(group.first.first, group.first.last), group.first.tear),
                (rng.randint(span.first, span.last), span.tear),
            )
            found = settle_after(self._scenario, cuts, self._seed)
            if found != span.settled:
                told, is_so = "/".join(span.settled), "/".join(found)
                raise LabFault(f"the sweep says {told} of cuts {cuts[0]} and {cuts[1]}, which end in {is_so}")
        return count

    def sweep(self) -> Iterator[SecondCuts]:
        """Group after group of first cuts. Raises LabFault."""
        sweep = ChunkSweep(self._scenario, self._tears, self._seed, starts=self.starts)
        for first in _joined(sweep.answers(0, sweep.update.operations + 1)):
            yield from self._after(first)

    def _after(self, first: Answer) -> Iterator[SecondCuts]:
        update = self._scenario.update
        contents = contents_at(self._flash, update, first.first, first.tear)
        recovery = recovery_from(self._scenario, contents)
        spans = self._second(recovery, _Differing.among(first, update, self._flash))
        if spans is not None:
            yield SecondCuts(first, spans)
            return
        middle = (first.first + first.last) // 2
        yield from self._after(replace(first, last=middle))
        yield from self._after(replace(first, first=middle + 1))

    def _second(self, recovery: Update, differing: _Differing) -> tuple[Span, ...] | None:
        """What becomes of all of a group; None where they must be taken apart."""
        sweep = ChunkSweep(self._scenario, self._tears, self._seed, update=recovery, starts=self.starts)
        flash, spans = Flash(self._scenario.memory(), recovery, self._seed), Spans()
        for answer in sweep.answers(0, recovery.operations + 1):
            differing.made_until(answer.first, recovery, flash)
            if differing.matter_to(answer.known):
                return None
            spans.add(answer.tear, answer.first, answer.last, answer.known.settled)
        return tuple(spans.all())


class _Differing:
    """Pages that are not the same after all first cuts of a group, by memory; a recovery makes some of them alike."""

    def __init__(self, pages: set[tuple[int, int]]):
        self._pages = pages
        self._run = 0

    @classmethod
    def among(cls, first: Answer, update: Update, flash: Flash) -> _Differing:
        """What the operations of several first cuts change."""
        pages: set[tuple[int, int]] = set()
        if first.last > first.first:
            for run in update.runs:
                begin, end = max(run.first, first.first), min(run.first + run.count - 1, first.last)
                if begin <= end:
                    changed = range(flash.pages_of(run, begin).start, flash.pages_of(run, end).stop)
                    pages |= {(flash.part_of(run), page) for page in changed}
        return cls(pages)

    def made_until(self, k: int, recovery: Update, flash: Flash) -> None:
        """Every erase that was whole before operation `k` has made its pages alike."""
        while self._pages and self._run < len(recovery.runs):
            run = recovery.runs[self._run]
            done = min(k - run.first, run.count)
            if done > 0 and run.kind.endswith("erase"):
                made = range(flash.pages_of(run, run.first).start, flash.pages_of(run, run.first + done - 1).stop)
                self._pages -= {(flash.part_of(run), page) for page in made}
            if done < run.count:
                return
            self._run += 1

    def matter_to(self, known: Known) -> bool:
        """Whether a start depends on one of them."""
        return any(known.next_page(part, page) == page for part, page in self._pages)


def _joined(answers: Iterator[Answer]) -> list[Answer]:
    """Neighbours of one tear that are the same to the same start."""
    rows: dict[str, list[Answer]] = {}
    for answer in answers:
        row = rows.setdefault(answer.tear, [])
        if row and row[-1].known is answer.known and row[-1].last == answer.first - 1:
            row[-1] = replace(row[-1], last=answer.last)
        else:
            row.append(answer)
    return [answer for row in rows.values() for answer in row]
