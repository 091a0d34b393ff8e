"""What results say of outcomes: how they are beside what was expected, and which known defects were seen again.

The words are those of a comparison (`better`, `same`, `worse`, `moved`), `unlisted` where nothing is expected, and
`recorded` where a baseline is made; a test keeps them in its properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rig.evidence.results import ALOUD, TestResult

_TOLD = ("text", "severity", "reference")
WORDS = ("same", *ALOUD, "worse", "recorded")


@dataclass(slots=True)
class SeenDefect:
    """A known defect that tests have seen again, and how many."""

    name: str
    title: str
    text: str
    severity: str
    reference: str
    count: int = 0

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> SeenDefect:
        """The one that a test names; what nobody has described has its name for a title."""
        name = properties["known_defect"]
        text, severity, reference = (properties.get(f"known_defect_{field}", "") for field in _TOLD)
        return cls(name, properties.get("known_defect_title", name), text, severity, reference)

    def __str__(self) -> str:
        text = ", ".join(part for part in (self.name, self.severity, self.reference) if part)
        return f"{self.title} ({text}): {self.count}"


def seen_defects(results: Iterable[TestResult]) -> list[SeenDefect]:
    """The known defects that were seen again, by name."""
    seen: dict[str, SeenDefect] = {}
    for result in results:
        if name := result.properties.get("known_defect"):
            seen.setdefault(name, SeenDefect.of(result.properties)).count += 1
    return [seen[name] for name in sorted(seen)]


def counted_defects(defects: Iterable[SeenDefect]) -> str:
    """`1 known defect`, `15 known defects`: how many tests have seen one."""
    count = sum(each.count for each in defects)
    return "1 known defect" if count == 1 else f"{count} known defects"


def unexpected_results(results: Iterable[TestResult]) -> list[TestResult]:
    """Tests whose outcome is not what was expected, and no fault."""
    return [result for result in results if result.properties.get("compared") in ALOUD]


def counted_words(results: Iterable[TestResult]) -> dict[str, int]:
    """How many tests each word is said of, in the words' order."""
    seen = [result.properties.get("compared") for result in results]
    return {word: seen.count(word) for word in WORDS if word in seen}


def beside_expected(result: TestResult) -> str:
    """`better than expected: stranded (reflash)`; empty for what is the same, and where nothing was compared."""
    texts = {
        "better": "better than expected: {}",
        "worse": "worse than expected: {}",
        "moved": "moved from what was expected: {}",
        "unlisted": "nothing is expected of it",
    }.get(result.properties.get("compared", ""), "")
    return texts.format(result.properties.get("expected", ""))
