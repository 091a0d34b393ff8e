"""Results of a sweep: neighbouring cuts that end the same way are one span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rig.sweep.scenario import Settled


@dataclass(frozen=True, slots=True)
class Span:
    """Cuts `first`…`last` with the same tear, and how the board settled after every one of them."""

    tear: str
    first: int
    last: int
    settled: Settled

    @property
    def count(self) -> int:
        """How many cuts."""
        return self.last - self.first + 1

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "tear": self.tear,
            "first": self.first,
            "last": self.last,
            "became": self.settled.became,
            "rung": self.settled.rung,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Span:
        """As the ledger has it. Raises KeyError, TypeError, ValueError."""
        settled = Settled(str(fields["became"]), str(fields["rung"]))
        return cls(str(fields["tear"]), int(fields["first"]), int(fields["last"]), settled)


class Spans:
    """Spans that grow while a sweep goes along the operations, one row for every tear."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Span]] = {}

    def add(self, tear: str, first: int, last: int, settled: Settled) -> None:
        """Cuts `first`…`last` settled so; they lie behind all that were added with the same tear."""
        row = self._rows.setdefault(tear, [])
        if row and row[-1].settled == settled and row[-1].last == first - 1:
            row[-1] = replace(row[-1], last=last)
        else:
            row.append(Span(tear, first, last, settled))

    def all(self) -> list[Span]:
        """Every span, row by row."""
        return [span for row in self._rows.values() for span in row]


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same cuts in as few spans as there can be, by tear and in order."""
    whole = Spans()
    for span in sorted(spans, key=lambda span: (span.tear, span.first)):
        whole.add(span.tear, span.first, span.last, span.settled)
    return whole.all()
