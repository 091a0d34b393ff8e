"""What flash holds after a cut: before operation k, or with operation k half done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rig.errors import Misuse
from rig.sweep.scenario import Update
from rig.twin.flash import Nor, Run
from rig.twin.memory import Contents, Memory
from rig.twin.tears import ERASE_TEARS, PROGRAM_TEARS, named_tear, sensible_tears

#: What a cut before an operation is called, beside the tears of one that is half done.
BEFORE = "before"
#: Every tear that makes sense somewhere; "none" is the cut before.
TEARS = tuple(dict.fromkeys((*PROGRAM_TEARS[1:], *ERASE_TEARS[1:])))


def tears_of(run: Run, chosen: Sequence[str]) -> list[str]:
    """Those of the chosen tears that make sense for a run's operations."""
    return [name for name in chosen if name in sensible_tears(run.kind)[1:]]


def checked_tears(names: Sequence[str]) -> tuple[str, ...]:
    """Tears that somebody named, in our order. Raises Misuse for one that there is not."""
    if unknown := set(names) - set(TEARS):
        raise Misuse(f"no tear is called {min(unknown)!r}", hint=f"one of {', '.join(TEARS)}")
    return tuple(name for name in TEARS if name in names)


class Flash:
    """The memories of a board on the way through an update; they stand before operation `k`."""

    def __init__(self, memory: Memory, update: Update, seed: int):
        self._memory, self._update, self._seed = memory, update, seed
        #: What the memories held before each run, as far as somebody came by.
        self._before = [update.before]
        self.k = 0
        memory.restore(update.before)

    @property
    def parts(self) -> Sequence[Sequence[bytes]]:
        """Pages by memory, as they are now."""
        return [nor.pages for nor in self._memory.nors]

    def contents(self) -> Contents:
        """The same, to keep."""
        return self._memory.snapshot()

    def part_of(self, run: Run) -> int:
        """The number of the memory that a run works on."""
        return self._memory.nors.index(self._nor(run))

    def page_size(self, part: int) -> int:
        """Bytes of a page of memory `part`."""
        return self._memory.nors[part].page

    def offset_in_page(self, run: Run) -> int:
        """Where in its first page a run begins."""
        nor = self._nor(run)
        return (run.address - nor.base) % nor.page

    def pages_of(self, run: Run, k: int) -> range:
        """The pages that operation `k` of a run changes."""
        nor = self._nor(run)
        at = run.address - nor.base + (k - run.first) * run.unit
        return range(at // nor.page, (at + run.unit - 1) // nor.page + 1)

    def addresses(self, part: int, page: int) -> range:
        """Those of a page of memory `part`."""
        nor = self._memory.nors[part]
        return range(nor.base + page * nor.page, nor.base + (page + 1) * nor.page)

    def pages_at(self, addresses: range) -> frozenset[tuple[int, int]]:
        """The pages that some addresses of one memory are in, each with the number of that."""
        part = next(part for part, nor in enumerate(self._memory.nors) if addresses.start in nor)
        nor = self._memory.nors[part]
        first, last = (addresses.start - nor.base) // nor.page, (addresses.stop - 1 - nor.base) // nor.page
        return frozenset((part, page) for page in range(first, last + 1))

    def go_to(self, k: int) -> None:
        """Stand before operation `k`, wherever they stand now."""
        number = min(self._update.run_of(k), len(self._update.runs) - 1)
        while len(self._before) <= number:
            run = self._update.runs[len(self._before) - 1]
            self._memory.restore(self._before[-1])
            self._nor(run).perform(run, 0, run.count)
            self._before.append(self._memory.snapshot())
        if self._update.runs:
            run = self._update.runs[number]
            self._memory.restore(self._before[number])
            self._nor(run).perform(run, 0, k - run.first)
        self.k = k

    def go_on(self, run: Run, k: int) -> None:
        """Carry out the operations of the run that they stand in until before `k`."""
        self._nor(run).perform(run, self.k - run.first, k - run.first)
        self.k = k

    @contextmanager
    def torn(self, run: Run, tear: str) -> Iterator[None]:
        """Operation `k` of its run is half done, meanwhile."""
        nor, pages = self._nor(run), self.pages_of(run, self.k)
        kept = nor.pages[pages.start : pages.stop]
        nor.tear(run.operation(self.k), named_tear(tear, f"{self._seed}:{self.k}"))
        try:
            yield
        finally:
            nor.pages[pages.start : pages.stop] = kept

    def _nor(self, run: Run) -> Nor:
        return self._memory.nor(run)


def contents_at(flash: Flash, update: Update, k: int, tear: str) -> Contents:
    """What flash holds after one cut."""
    flash.go_to(k)
    if tear == BEFORE:
        return flash.contents()
    with flash.torn(update.runs[update.run_of(k)], tear):
        return flash.contents()
