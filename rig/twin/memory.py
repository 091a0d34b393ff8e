"""The flash memories of a board under one journal, and how long their operations take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rig.errors import Misuse
from rig.twin.flash import Journal, Nor, PowerLost, Run
from rig.twin.footprint import Footprint, PageTrace

#: Pages of every memory of a board, in the order of `Memory.nors`.
Contents = tuple[tuple[bytes, ...], ...]


class Memory:
    """What a board has in flash; `seconds` is how long one operation of a kind takes."""

    def __init__(self, nors: Sequence[Nor], seconds: Mapping[str, float]):
        self.nors = nors
        self.seconds = seconds
        self.journal = Journal()

    def nor(self, run: Run) -> Nor:
        """The memory `run` works on."""
        return next(nor for nor in self.nors if run.address in nor)

    def enter(self, run: Run) -> Run:
        """Enter a run in the journal, and return it with its numbers. Raises Misuse where no memory takes it."""
        end = run.address + run.count * run.unit
        if not any(run.address in nor and end <= nor.base + nor.size for nor in self.nors):
            raise Misuse(f"{run.kind} from {run.address:#x} to {end:#x}: no memory is there")
        return self.journal.number(run)

    def power_on(self) -> None:
        """Operations are counted from 0; what failed is forgotten."""
        self.journal = Journal()
        for nor in self.nors:
            nor.error = False

    def snapshot(self) -> Contents:
        """What the memories hold; pages are shared, so it costs a list of pointers each."""
        return tuple(tuple(nor.pages) for nor in self.nors)

    def restore(self, contents: Contents) -> None:
        """Hold what a snapshot of memories of the same shape holds."""
        for nor, pages in zip(self.nors, contents, strict=True):
            nor.hold(pages)

    def trace(self) -> Footprint:
        """Write down from now on what depends on what the memories hold."""
        footprint = Footprint()
        for part, nor in enumerate(self.nors):
            nor.trace = PageTrace(footprint, part, range(nor.base, nor.base + nor.size, nor.page))
        return footprint

    def perform(self, run: Run, begin: int, end: int) -> None:
        """Carry out operations `begin`…`end`-1 of `run`. Raises PowerLost when the journal's fuse blows in them."""
        fuse = self.journal.fuse
        if fuse is None or not run.first + begin <= fuse[0] < run.first + end:
            self.nor(run).perform(run, begin, end)
            return
        k, tear = fuse
        self.nor(run).perform(run, begin, k - run.first)
        if tear is not None:
            self.nor(run).tear(run.operation(k), tear)
        self.journal.truncate(k)
        self.journal.fuse = None
        raise PowerLost(k)
