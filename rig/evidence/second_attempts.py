"""What the two results of a repeated test say: a test whose board failed was run once more on another board.

=============  ==============  ================================================================================
first board    other board     says
=============  ==============  ================================================================================
device fault   device fault    `firmware`: two boards failed
device fault   passed          `board` where two tests or more failed on this board and passed on another in this
                               run, else `flaky`
lab fault      passed          `board`: its relay, console or place
lab fault      lab fault       `lab`
=============  ==============  ================================================================================

All else is `unclear`. A second result never mends the first: both count in the verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, PASSED, TestResult

#: Properties of a result that is a test's second: that it is, and the place of the first.
ATTEMPT, SECOND, FIRST_PLACE = "attempt", "2", "first_place"
FIRMWARE, BOARD, FLAKY, LAB, UNCLEAR = "firmware", "board", "flaky", "lab", "unclear"
_RULES = {
    (DEVICE_FAULT, DEVICE_FAULT): FIRMWARE,
    (DEVICE_FAULT, PASSED): FLAKY,
    (LAB_FAULT, PASSED): BOARD,
    (LAB_FAULT, LAB_FAULT): LAB,
}
#: How many tests must fail on one board, and pass on another, until the board is to blame and not chance.
SUSPECT_AFTER = 2


@dataclass(frozen=True, slots=True)
class RepeatedTest:
    """A test that was run on two boards, and what that says."""

    first: TestResult
    second: TestResult
    cause: str

    @property
    def test(self) -> str:
        """Its name."""
        return self.first.name

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        attempts = [{"place": place_of(each), "result": each.result} for each in (self.first, self.second)]
        return {"test": self.test, "cause": self.cause, "attempts": attempts}

    def __str__(self) -> str:
        attempts = ", ".join(f"{each.result} on {place_of(each)}" for each in (self.first, self.second))
        return f"{self.cause}: {self.test} ({attempts})"


def is_second(result: TestResult) -> bool:
    """Whether this is a test's result on the other board."""
    return result.properties.get(ATTEMPT) == SECOND


def place_of(result: TestResult) -> str:
    """The place whose board a test had."""
    return result.properties.get("place", "no board")


def repeated(results: Iterable[TestResult]) -> list[RepeatedTest]:
    """The tests that were run twice, in the order of their second results."""
    pairs = list(_pairs(results))
    passed_elsewhere = Counter(place_of(first) for first, second in pairs if _said_by(first, second) == FLAKY)
    suspects = {place for place, count in passed_elsewhere.items() if count >= SUSPECT_AFTER}
    found = []
    for first, second in pairs:
        said = _said_by(first, second)
        cause = BOARD if said == FLAKY and place_of(first) in suspects else said
        found.append(RepeatedTest(first, second, cause))
    return found


def count_causes(found: Sequence[RepeatedTest]) -> str:
    """`1 firmware, 2 flaky`; empty without any."""
    counts = Counter(each.cause for each in found)
    return ", ".join(f"{counts[word]} {word}" for word in (FIRMWARE, FLAKY, BOARD, LAB, UNCLEAR) if counts[word])


def _pairs(results: Iterable[TestResult]) -> Iterable[tuple[TestResult, TestResult]]:
    firsts: dict[str, TestResult] = {}
    for result in results:
        if not is_second(result):
            firsts[result.name] = result
        elif (first := firsts.get(result.name)) is not None:
            yield first, result


def _said_by(first: TestResult, second: TestResult) -> str:
    return _RULES.get((first.result, second.result), UNCLEAR)
