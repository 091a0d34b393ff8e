"""A sweep under way and at its end: chunks, cuts and starts, and what is known so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rig.sweep.chunk import ChunkResult
from rig.sweep.chunks import Chunk
from rig.sweep.scenario import Settled
from rig.sweep.spans import Span, joined


@dataclass(slots=True)
class Progress:
    """Results of chunks, in any order and each once."""

    results: dict[Chunk, ChunkResult] = field(default_factory=dict)

    def add(self, result: ChunkResult) -> None:
        """A chunk is done."""
        self.results[result.begin, result.end] = result

    @property
    def points(self) -> int:
        """Cuts that are answered."""
        return sum(result.points for result in self.results.values())

    @property
    def starts(self) -> int:
        """Starts that were made for them."""
        return sum(result.starts for result in self.results.values())

    @property
    def operations(self) -> int:
        """Operations that were swept."""
        return sum(result.end - result.begin for result in self.results.values())

    @property
    def spans(self) -> list[Span]:
        """What became of all cuts that are answered."""
        return joined(_all(self.results.values()))

    def count(self) -> Counter[Settled]:
        """How many cuts ended how."""
        ends: Counter[Settled] = Counter()
        for span in _all(self.results.values()):
            ends[span.settled] += span.count
        return ends


def _all(results: Iterable[ChunkResult]) -> Iterable[Span]:
    return (span for result in results for span in result.spans)
