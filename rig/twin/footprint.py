"""What a start depends on: the questions that it asked of flash, in order, and what flash answered.

A start is deterministic: what it asks next follows from the answers so far. Pages that it made itself, or knows
already, are no question any more. To copy pages is not to look at them: what they held counts once the copy is looked
at.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

#: A pure function of pages, in their order. It is told apart by identity: make it once, not in each start.
Ask = Callable[[tuple[bytes, ...]], Hashable]


def contents(pages: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The question behind a plain read: everything that the pages hold."""
    return pages


class Question(NamedTuple):
    """`ask` of the pages `first`…`last`-1 of memory number `part`."""

    part: int
    first: int
    last: int
    ask: Ask

    def answer(self, parts: Sequence[Sequence[bytes]]) -> Hashable:
        """What flash with these pages, by part, answers."""
        return self.ask(tuple(parts[self.part][self.first : self.last]))


class Copied(NamedTuple):
    """Pages `first`… of memory number `part`, and what they held when they were copied: as before the start."""

    part: int
    first: int
    pages: tuple[bytes, ...]


class Footprint:
    """Every question since the supply rose, over all memories of a board, in order."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.answers: list[Hashable] = []
        self.traces: list[PageTrace] = []

    def enter(self, question: Question, answer: Hashable) -> None:
        """A question was asked."""
        self.questions.append(question)
        self.answers.append(answer)


class PageTrace:
    """One memory's part of a footprint: it knows which pages are no question any more."""

    def __init__(self, footprint: Footprint, part: int, addresses: range):
        """`addresses` are those where its pages begin."""
        self._footprint, self._part, self._addresses = footprint, part, addresses
        self._known: set[int] = set()
        self._asked: set[Question] = set()
        #: Pages that are copies, and of what nobody has looked at.
        self._copies: dict[int, Copied] = {}
        footprint.traces.append(self)

    def knows_any(self, first: int, last: int) -> bool:
        """Whether one of the pages was made, or looked at."""
        return not self._known.isdisjoint(range(first, last))

    def copy_of(self, origin: int, data: bytes, begin: int, end: int) -> Copied:
        """What bytes `begin`…`end`-1 of data are a copy of, that were read whole pages at a time from `origin` on."""
        (source,) = (trace for trace in self._footprint.traces if origin in trace._addresses)
        size, skipped = source._addresses.step, source._addresses.index(origin)
        first, last = begin // size, (end - 1) // size + 1
        pages = tuple(data[page * size : (page + 1) * size] for page in range(first, last))
        return Copied(source._part, skipped + first, pages)

    def copied(self, page: int, what: Copied) -> None:
        """A page was made a copy."""
        self._copies[page] = what

    def is_copy(self, page: int, what: Copied) -> bool:
        """Whether a page was made this copy already, a first piece of it, and nobody has looked at it."""
        return self._copies.get(page) == what

    def read(self, pages: Sequence[bytes], first: int, last: int) -> None:
        """Pages are looked at whole, or what is written depends on what they held."""
        if self._copies:
            self._look_behind(first, last)
        known, at = self._known, first
        while at < last:
            if at in known:
                at += 1
                continue
            end = at + 1
            while end < last and end not in known:
                end += 1
            self._enter(Question(self._part, at, end, contents), pages)
            known.update(range(at, end))
            at = end

    def ask(self, pages: Sequence[bytes], first: int, last: int, ask: Ask) -> None:
        """A question is asked of pages: of those that the start made itself in part, all others count whole."""
        if not self._known.isdisjoint(range(first, last)):
            self.read(pages, first, last)
            return
        question = Question(self._part, first, last, ask)
        if question not in self._asked:
            self._asked.add(question)
            self._enter(question, pages)

    def made(self, first: int, last: int) -> None:
        """Pages were erased: what they held before matters no more."""
        self._known.update(range(first, last))
        for page in range(first, last) if self._copies else ():
            self._copies.pop(page, None)

    def _look_behind(self, first: int, last: int) -> None:
        """Copies are looked at: what was copied is the question, as it was then."""
        looked_at = [self._copies.pop(page) for page in range(first, last) if page in self._copies]
        for part, begin, held in _joined(looked_at):
            self._footprint.enter(Question(part, begin, begin + len(held), contents), held)
            self._footprint.traces[part]._known.update(range(begin, begin + len(held)))

    def _enter(self, question: Question, pages: Sequence[bytes]) -> None:
        self._footprint.enter(question, question.ask(tuple(pages[question.first : question.last])))


def _joined(copies: Iterable[Copied]) -> list[Copied]:
    """Copies of neighbouring pages as one: it is one question then."""
    joined: list[Copied] = []
    for part, first, pages in copies:
        if joined and (before := joined[-1]).part == part and before.first <= first <= before.first + len(before.pages):
            joined[-1] = Copied(part, before.first, before.pages[: first - before.first] + pages)
        else:
            joined.append(Copied(part, first, pages))
    return joined
