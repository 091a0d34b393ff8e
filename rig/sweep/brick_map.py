"""Where on its way an update must not lose power: windows after whose cuts nobody comes back without a hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rig.sweep.scenario import Settled, Update
from rig.sweep.spans import Span

#: Rungs that a board climbs by itself.
BY_ITSELF = "self"


@dataclass(frozen=True, slots=True)
class Window:
    """Operations `first`…`last` that follow each other, some cut of each of which ends so; `share` is of the update.

    `bytes` is what they write or erase, `milliseconds` what they take on a board as the model has it.
    """

    settled: Settled
    phase: str
    first: int
    last: int
    #: The tear of its first cut that ends so.
    tear: str
    bytes: int
    milliseconds: float
    share: float

    @property
    def operations(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Duration:
    """How long operations of an update take on a board, by the times that its model has for each kind."""

    def __init__(self, update: Update, seconds: Mapping[str, float]):
        self._update, self._seconds = update, seconds
        self.whole = self.of(0, update.operations)

    def of(self, begin: int, end: int) -> float:
        """Seconds of operations `begin`…`end`-1."""
        return sum(count * self._seconds[run_kind] for run_kind, _, count in self._overlaps(begin, end))

    def bytes_of(self, begin: int, end: int) -> int:
        """Bytes that they write or erase."""
        return sum(count * unit for _, unit, count in self._overlaps(begin, end))

    def _overlaps(self, begin: int, end: int) -> Iterator[tuple[str, int, int]]:
        for run in self._update.runs[max(self._update.run_of(begin), 0) :]:
            if run.first >= end:
                return
            yield run.kind, run.unit, min(end, run.first + run.count) - max(begin, run.first)


def brick_map(update: Update, spans: Iterable[Span], seconds: Mapping[str, float]) -> list[Window]:
    """Every window, in order; the update that was not cut counts as none."""
    duration = Duration(update, seconds)
    found: list[Window] = []
    known = list(spans)
    for settled, first, last in _windows(update, known):
        time = duration.of(first, last + 1)
        found.append(
            Window(
                settled,
                update.phases[update.run_of(first)],
                first,
                last,
                next(span.tear for span in known if span.settled == settled and span.first == first),
                duration.bytes_of(first, last + 1),
                time * 1000,
                time / duration.whole if duration.whole else 0.0,
            )
        )
    return sorted(found, key=lambda window: (window.first, window.settled))


def _windows(update: Update, spans: Iterable[Span]) -> Iterator[tuple[Settled, int, int]]:
    """Operations by how the worst cuts at them end, neighbours together."""
    risky: dict[Settled, list[tuple[int, int]]] = {}
    for span in spans:
        if span.settled.rung != BY_ITSELF and span.first < update.operations:
            risky.setdefault(span.settled, []).append((span.first, min(span.last, update.operations - 1)))
    for settled, stretches in risky.items():
        begin, end = -1, -2
        for first, last in sorted(stretches):
            if first > end + 1:
                if begin >= 0:
                    yield settled, begin, end
                begin = first
            end = max(end, last)
        yield settled, begin, end
