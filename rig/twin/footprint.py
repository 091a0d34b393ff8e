"""What a start depends on: the questions that it asked of flash, in order, and what flash answered.

A start is deterministic: what it asks next follows from the answers so far. Pages that it made itself, or knows
already, are no question any more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
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


class Footprint:
    """Every question since the supply rose, over all memories of a board, in order."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.answers: list[Hashable] = []

    def enter(self, question: Question, answer: Hashable) -> None:
        """A question was asked."""
        self.questions.append(question)
        self.answers.append(answer)


class PageTrace:
    """One memory's part of a footprint: it knows which pages are no question any more."""

    def __init__(self, footprint: Footprint, part: int):
        self._footprint, self._part = footprint, part
        self._known: set[int] = set()
        self._asked: set[Question] = set()

    def read(self, pages: Sequence[bytes], first: int, last: int) -> None:
        """Pages are looked at whole, or what is written depends on what they held."""
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

    def _enter(self, question: Question, pages: Sequence[bytes]) -> None:
        self._footprint.enter(question, question.ask(tuple(pages[question.first : question.last])))
