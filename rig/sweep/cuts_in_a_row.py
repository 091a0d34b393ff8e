"""Cuts in a row: after each first one, every cut of what the board then does by itself; and again after those.

Cuts whose boards are the same to a start do the same afterwards, so one of them stands for all; but their flash is not
the same. Where a later start depends on pages that differ among them, they are taken apart.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rig.errors import LabFault, Misuse
from rig.sweep.capsule import Capsule, Cuts
from rig.sweep.chunk import Answer, ChunkSweep
from rig.sweep.cut_points import Flash, contents_at
from rig.sweep.differing import Differing, Pages, changed_by, mattering
from rig.sweep.known_starts import KnownStarts
from rig.sweep.plan import SweepPlan
from rig.sweep.replay import recovery_from, settle_after
from rig.sweep.scenario import Scenario, Settled, Update
from rig.sweep.spans import Span, Spans

#: More boards than anybody starts one by one.
MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class LastCuts:
    """Cuts in a row that are the same to the board, and what becomes of it after every last one."""

    earlier: tuple[Answer, ...]
    spans: tuple[Span, ...]

    @property
    def times(self) -> int:
        """How many ways the earlier cuts can be made."""
        return math.prod(answer.last - answer.first + 1 for answer in self.earlier)

    @property
    def points(self) -> int:
        """Rows of cuts."""
        return self.times * sum(span.count for span in self.spans)

    def count(self) -> Counter[Settled]:
        """How many rows ended how."""
        ends = Counter[Settled]()
        for span in self.spans:
            ends[span.settled] += self.times * span.count
        return ends

    def first_row(self, span: Span) -> Cuts:
        """One row of cuts that ends as a span says."""
        return (*((answer.first, answer.tear) for answer in self.earlier), (span.first, span.tear))

    def rows(self) -> Iterator[tuple[Cuts, Settled]]:
        """Every row of cuts, and how it ends."""
        earlier = [[(k, answer.tear) for k in range(answer.first, answer.last + 1)] for answer in self.earlier]
        for cuts in itertools.product(*earlier):
            for span in self.spans:
                for k in range(span.first, span.last + 1):
                    yield (*cuts, (k, span.tear)), span.settled

    def drawn(self, rng: random.Random) -> tuple[Cuts, Settled]:
        """A row of cuts, and how it ends."""
        span = rng.choice(self.spans)
        cuts = [(rng.randint(answer.first, answer.last), answer.tear) for answer in self.earlier]
        return (*cuts, (rng.randint(span.first, span.last), span.tear)), span.settled


@dataclass(frozen=True, slots=True)
class End:
    """How rows of cuts ended, how many did, and one of them."""

    settled: Settled
    points: int
    capsule: str


def ends_of(plan: SweepPlan, groups: Sequence[LastCuts]) -> list[End]:
    """Every end of a sweep's rows, the most frequent first."""
    points, cuts = Counter[Settled](), dict[Settled, Cuts]()
    for group in groups:
        points += group.count()
        for span in group.spans:
            cuts.setdefault(span.settled, group.first_row(span))
    return [End(end, count, str(Capsule.of(plan, cuts[end], end))) for end, count in points.most_common()]


class CutsInARow:
    """All rows of `count` cuts, two or more, of one scenario."""

    def __init__(self, scenario: Scenario, tears: Sequence[str], seed: int, count: int = 2):
        self._scenario, self._tears, self._seed, self._count = scenario, tears, seed, count
        self.starts = KnownStarts(scenario)

    def sweep(self, begin: int = 0, end: int | None = None) -> Iterator[LastCuts]:
        """Group after group of those whose first cut is at `begin`…`end`-1, else anywhere. Raises LabFault."""
        update = self._scenario.update
        sweep = ChunkSweep(self._scenario, self._tears, self._seed, starts=self.starts)
        flash = Flash(self._scenario.memory(), update, self._seed)
        for first in _joined(sweep.answers(begin, update.operations + 1 if end is None else end)):
            yield from self._after((first,), update, flash, frozenset())

    def prove(self, groups: Sequence[LastCuts], count: int) -> int:
        """Start boards whole after `count` rows of cuts drawn at random; returns how many.

        Each group has the same chance: most rows are in few of them. Raises LabFault where one settles otherwise.
        """
        rng = random.Random(f"proof:{self._seed}")
        for _ in range(count):
            self._check(*rng.choice(groups).drawn(rng))
        return count

    def prove_all(self, groups: Sequence[LastCuts]) -> int:
        """The same with every row. Raises Misuse where nobody would wait for that."""
        points = sum(group.points for group in groups)
        if points > MOST_ROWS:
            raise Misuse(f"{points:,} rows of cuts are too many to start all boards", hint="--prove N starts some")
        for group in groups:
            for cuts, told in group.rows():
                self._check(cuts, told)
        return points

    def _check(self, cuts: Cuts, told: Settled) -> None:
        found = settle_after(self._scenario, cuts, self._seed)
        if found != told:
            row = " and ".join(f"{k}:{tear}" for k, tear in cuts)
            raise LabFault(f"the sweep says {'/'.join(told)} of cuts {row}, which end in {'/'.join(found)}")

    def _after(self, earlier: tuple[Answer, ...], update: Update, flash: Flash, carried: Pages) -> list[LastCuts]:
        """What follows the last of the earlier cuts, which are in `update`.

        `carried` are pages that differ among the cuts before that one. Raises _TakeApart where they make a difference.
        """
        last = earlier[-1]
        recovery = recovery_from(self._scenario, contents_at(flash, update, last.first, last.tear))
        try:
            return self._in_recovery(earlier, recovery, carried | changed_by(last, update, flash))
        except _TakeApart as apart:
            if apart.pages & carried or last.first == last.last:
                raise
        middle = (last.first + last.last) // 2
        halves = replace(last, last=middle), replace(last, first=middle + 1)
        return [found for half in halves for found in self._after((*earlier[:-1], half), update, flash, carried)]

    def _in_recovery(self, earlier: tuple[Answer, ...], recovery: Update, pages: Pages) -> list[LastCuts]:
        sweep = ChunkSweep(self._scenario, self._tears, self._seed, update=recovery, starts=self.starts)
        flash = Flash(self._scenario.memory(), recovery, self._seed)
        differing, spans = Differing(pages, recovery, flash), Spans()
        following, differ = list[Answer](), dict[int, Pages]()
        for answer in sweep.answers(0, recovery.operations + 1):
            still = differing.before(answer.first)
            if matter := mattering(still, answer.known):
                raise _TakeApart(matter)
            spans.add(answer.tear, answer.first, answer.last, answer.known.settled)
            following.append(answer)
            differ.setdefault(answer.first, still)
        if len(earlier) + 1 == self._count:
            return [LastCuts(earlier, tuple(spans.all()))]
        return [
            found
            for answer in _joined(following)
            for found in self._after((*earlier, answer), recovery, flash, differ[answer.first])
        ]


class _TakeApart(Exception):
    """A start depends on `pages` that are not the same after all cuts of a group."""

    def __init__(self, pages: Pages):
        super().__init__(pages)
        self.pages = pages


def _joined(answers: Iterable[Answer]) -> list[Answer]:
    """Neighbours of one tear that are the same to the same start."""
    rows: dict[str, list[Answer]] = {}
    for answer in answers:
        row = rows.setdefault(answer.tear, [])
        if row and row[-1].known is answer.known and row[-1].last == answer.first - 1:
            row[-1] = replace(row[-1], last=answer.last)
        else:
            row.append(answer)
    return [answer for row in rows.values() for answer in row]
