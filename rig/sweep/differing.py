"""Pages that are not the same after all cuts of a group, and which of them a recovery has made alike by when."""

from __future__ import annotations

from rig.sweep.chunk import Answer
from rig.sweep.cut_points import Flash
from rig.sweep.known_starts import Known
from rig.sweep.scenario import Update
from rig.twin.flash import Run

#: Pages by number of their memory, and their own.
Pages = frozenset[tuple[int, int]]


def changed_by(answer: Answer, update: Update, flash: Flash) -> Pages:
    """What the operations between the first and the last cut of an answer change."""
    pages: set[tuple[int, int]] = set()
    if answer.last > answer.first:
        for run in update.runs:
            begin, end = max(run.first, answer.first), min(run.first + run.count - 1, answer.last)
            if begin <= end:
                changed = range(flash.pages_of(run, begin).start, flash.pages_of(run, end).stop)
                pages |= {(flash.part_of(run), page) for page in changed}
    return frozenset(pages)


def mattering(pages: Pages, known: Known) -> Pages:
    """Those of some pages that a start depended on."""
    return frozenset((part, page) for part, page in pages if known.next_page(part, page) == page)


class Differing:
    """The pages of a group on the way through a recovery: an erase makes its own alike, and copies differ as well."""

    def __init__(self, pages: Pages, recovery: Update, flash: Flash):
        self._pages, self._recovery, self._flash = pages, recovery, flash
        self._run = 0

    def before(self, k: int) -> Pages:
        """Those that differ before operation `k`, where every erase is whole that came before; `k` only grows."""
        while self._pages and self._run < len(self._recovery.runs):
            run = self._recovery.runs[self._run]
            done = min(k - run.first, run.count)
            if done > 0 and run.kind.endswith("erase"):
                self._pages -= self._flash.pages_at(range(run.address, run.address + done * run.unit))
            if done >= 0 and run.origin is not None:
                self._pages |= self._copies(run, min(done + 1, run.count))
            if done < run.count:
                break
            self._run += 1
        return self._pages

    def _copies(self, run: Run, count: int) -> Pages:
        """Pages that the first operations of a run make copies of pages that differ."""
        assert run.origin is not None, "it copies"
        made = set[tuple[int, int]]()
        for part, page in self._pages:
            copied = self._flash.addresses(part, page)
            begin, end = copied.start - run.origin, min(copied.stop - run.origin, count * run.unit)
            if 0 <= begin < end:
                made |= self._flash.pages_at(range(run.address + begin, run.address + end))
        return frozenset(made)
