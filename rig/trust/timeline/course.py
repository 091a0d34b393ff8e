"""The course of trust in time: spans in which a server is trusted or refused, and what follows from them."""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

#: Certificates' validities and plans are told to the second.
SECOND = timedelta(seconds=1)


class State(enum.StrEnum):
    """How firmware and a server stand; best first."""

    TRUSTED = "trusted"
    #: Trusted as the plan is, and lost if the authority issues under another intermediate, as it may.
    AT_RISK = "at risk"
    REFUSED = "refused"
    #: The plan knows nothing of the server, or nothing yet.
    UNPLANNED = "unplanned"

    @property
    def works(self) -> bool:
        """Whether an update can be delivered."""
        return self in (State.TRUSTED, State.AT_RISK)


_ORDER = tuple(State)


@dataclass(frozen=True, slots=True)
class Span:
    """A state from a time (included) to another (not included), and the facts that make it so."""

    begins: datetime
    ends: datetime
    state: State
    facts: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """The facts in one line."""
        return ", ".join(self.facts)


@dataclass(frozen=True, slots=True)
class Course:
    """Spans without holes, in the order of time."""

    spans: tuple[Span, ...]

    def at(self, when: datetime) -> Span:
        """The span a time lies in; the first or the last one for times outside of all."""
        return self.spans[max(bisect_right(self.spans, when, key=lambda span: span.begins) - 1, 0)]

    @property
    def dark(self) -> datetime | None:
        """From when on it never works again, as far as is looked; None if it works in the end."""
        dark = None
        for span in reversed(self.spans):
            if span.state.works:
                break
            dark = span.begins
        return dark

    @property
    def why_dark(self) -> str:
        """Why it is refused in the end, as it was first; empty if it works in the end."""
        spans = [span for span in self.spans if self.dark is not None and span.begins >= self.dark]
        return next((span.why for span in spans if span.state is State.REFUSED), spans[0].why if spans else "")

    @property
    def ever_works(self) -> bool:
        """Whether it works at all."""
        return any(span.state.works for span in self.spans)

    @property
    def last_day(self) -> date | None:
        """The last day with a moment at which an update can be delivered; None if there is no end to it, or none."""
        return (self.dark - SECOND).date() if self.dark is not None and self.ever_works else None

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:
        """When it does not work between times when it does: from (included) to (not included)."""
        gaps: list[tuple[datetime, datetime]] = []
        lost: datetime | None = None
        for span in self._from_the_first_that_works():
            if span.state.works:
                gaps += [(lost, span.begins)] if lost is not None else []
                lost = None
            elif lost is None:
                lost = span.begins
        return gaps

    def next_loss(self, today: datetime) -> datetime | None:
        """When it stops working the next time, be it for good or not; now, if it does not work."""
        return next(
            (max(span.begins, today) for span in self.spans if span.ends > today and not span.state.works), None
        )

    def since(self, when: datetime) -> Course:
        """What is left of it from a time on; all of it where nothing would be left."""
        left = tuple(
            Span(max(one.begins, when), one.ends, one.state, one.facts) for one in self.spans if one.ends > when
        )
        return Course(left) if left else self

    def _from_the_first_that_works(self) -> Sequence[Span]:
        first = next((number for number, span in enumerate(self.spans) if span.state.works), len(self.spans))
        return self.spans[first:]


def course(spans: Sequence[Span]) -> Course:
    """A course of spans that follow each other; those that say the same become one."""
    merged: list[Span] = []
    for span in spans:
        if merged and (merged[-1].state, merged[-1].facts) == (span.state, span.facts):
            merged[-1] = Span(merged[-1].begins, span.ends, span.state, span.facts)
        elif span.begins < span.ends:
            merged.append(span)
    return Course(tuple(merged))


def best(courses: Sequence[Course]) -> Course:
    """The course of who can choose: at each time the best of all; where none works, why each does not."""
    return course([_best(spans, begins, ends) for spans, begins, ends in _together(courses)])


def worst(courses: Sequence[Course]) -> Course:
    """The course of who cannot choose: at each time the worst of all, and why."""
    return course([_worst(spans, begins, ends) for spans, begins, ends in _together(courses)])


def _together(courses: Sequence[Course]) -> Iterator[tuple[list[Span], datetime, datetime]]:
    """The spans of all, from each time at which any changes to the next."""
    times = sorted({time for one in courses for span in one.spans for time in (span.begins, span.ends)})
    for begins, ends in pairwise(times):
        yield [one.at(begins) for one in courses], begins, ends


def _worst(spans: Sequence[Span], begins: datetime, ends: datetime) -> Span:
    state = max((span.state for span in spans), key=_ORDER.index)
    facts = dict.fromkeys(fact for span in spans if span.state is state for fact in span.facts)
    return Span(begins, ends, state, tuple(facts))


def _best(spans: Sequence[Span], begins: datetime, ends: datetime) -> Span:
    state = min((span.state for span in spans), key=_ORDER.index)
    candidates = [span for span in spans if span.state is state or not state.works]
    return Span(begins, ends, state, tuple(dict.fromkeys(fact for span in candidates for fact in span.facts)))
