"""How a sweep is divided: stretches of operations that are done one by one, the riskiest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rig.sweep.scenario import Update

#: Operations in one chunk, at the most but for the last run of it: some tenths of a second where each is looked at.
MOST = 4096
Chunk = tuple[int, int]


def chunks_of(update: Update) -> list[Chunk]:
    """All chunks, the last one with the update that is not cut.

    Riskiest first: what a start looks at is written in short runs, and images in long ones.
    """
    whole = list(_in_order(update)) or [(0, 0)]
    whole[-1] = (whole[-1][0], update.operations + 1)
    return sorted(whole, key=lambda chunk: (chunk[1] - chunk[0] >= MOST, chunk[0]))


def gaps(end: int, done: Iterable[Chunk]) -> list[Chunk]:
    """The stretches of operations 0…`end`-1 that are in none of those which were done."""
    found, begin = [], 0
    for first, behind in sorted(done):
        if begin < first:
            found.append((begin, first))
        begin = max(begin, behind)
    return [*found, (begin, end)] if begin < end else found


def is_missing(begin: int, end: int, missing: Iterable[Chunk]) -> bool:
    """Whether all operations `begin`…`end`-1 are in one of these gaps: nothing of them was done before."""
    return any(first <= begin and end <= behind for first, behind in missing)


def _in_order(update: Update) -> Iterator[Chunk]:
    """Short runs together, and long ones in pieces."""
    begin = 0
    for run in update.runs:
        end = run.first + run.count
        if run.count >= MOST and begin < run.first:
            yield begin, run.first
            begin = run.first
        while end - begin >= MOST:
            piece = min(begin + MOST, end)
            yield begin, piece
            begin = piece
    if begin < update.operations:
        yield begin, update.operations
