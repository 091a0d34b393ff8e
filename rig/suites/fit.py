"""Which tests a rack cannot run, and what its places lack for them: told in one block before a run begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rig.lab.wanted import Wanted, missing_tags


@dataclass(frozen=True, slots=True)
class Lack:
    """Boards that tests ask for and no place has: `missing` are the tags that the most fitting place lacks."""

    board: str
    tags: dict[str, str]
    missing: tuple[str, ...]
    tests: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        wanted = " ".join([self.board, *(f"{tag}={value}" for tag, value in self.tags.items())])
        return f"{self.tests:4}  {wanted} (missing: {', '.join(self.missing)})"


def lacks(asked: Iterable[Wanted], places: Iterable[Mapping[str, str]]) -> list[Lack]:
    """What tests ask for in vain at `places`, given by their tags; those that most tests ask for first."""
    known = list(places)
    counts = Counter((kind, tuple(sorted(tags.items()))) for kind, tags in asked)
    found = []
    for (kind, wanted), tests in counts.most_common():
        if missing := missing_tags(kind, dict(wanted), known):
            found.append(Lack(kind, dict(wanted), missing, tests))
    return found
