"""Starts that are known already: a tree of questions and answers, with what came of it at every end.

A start asks flash a first question; what it asks next follows from the answer. Flash that gives the same answers all
the way down is the same to the board, and need not be started.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from rig.errors import LabFault
from rig.sweep.scenario import Scenario, Settled
from rig.twin.footprint import Footprint, Question
from rig.twin.memory import Contents


@dataclass(frozen=True, slots=True)
class Known:
    """A start that was made: how it settled, and which pages it depended on, by memory and in order."""

    settled: Settled
    pages: tuple[tuple[int, ...], ...]

    def next_page(self, part: int, page: int) -> int | None:
        """The first page from `page` on that it depended on."""
        pages = self.pages[part]
        at = bisect_left(pages, page)
        return pages[at] if at < len(pages) else None


@dataclass(slots=True)
class _Branch:
    question: Question
    answers: dict[Hashable, _Branch | Known] = field(default_factory=dict)


class KnownStarts:
    """Every start of a scenario's board that was made so far; asks for a real one where none is the same."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._root: _Branch | Known | None = None
        #: How many were made.
        self.made = 0

    def settle(self, parts: Sequence[Sequence[bytes]]) -> Known:
        """How a board with these pages settles. Raises LabFault where the same flash does not do the same."""
        at = self._root
        while isinstance(at, _Branch):
            at = at.answers.get(at.question.answer(parts))
        return at if at is not None else self._make(tuple(map(tuple, parts)))

    def _make(self, contents: Contents) -> Known:
        memory = self._scenario.memory()
        memory.restore(contents)
        footprint = memory.trace()
        settled = self._scenario.start(memory)
        self.made += 1
        known = Known(settled, pages_of(footprint, len(contents)))
        self._add(footprint, known)
        return known

    def _add(self, footprint: Footprint, known: Known) -> None:
        steps = list(zip(footprint.questions, footprint.answers, strict=True))
        if not steps:
            self._root = known
            return
        if self._root is None:
            self._root = _Branch(steps[0][0])
        at = self._root
        for number, (question, answer) in enumerate(steps):
            if not isinstance(at, _Branch) or at.question != question:
                raise LabFault(
                    f"a start of {self._scenario.kind} depends on something that its footprint does not hold: "
                    f"question {number + 1} is another after the same answers"
                )
            last = number == len(steps) - 1
            following: _Branch | Known = known if last else _Branch(steps[number + 1][0])
            at = at.answers.setdefault(answer, following)


def pages_of(footprint: Footprint, parts: int) -> tuple[tuple[int, ...], ...]:
    """The pages that a footprint's questions are about, by memory and in order."""
    pages: list[set[int]] = [set() for _ in range(parts)]
    for question in footprint.questions:
        pages[question.part].update(range(question.first, question.last))
    return tuple(tuple(sorted(some)) for some in pages)
