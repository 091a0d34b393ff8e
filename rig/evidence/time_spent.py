"""What a test's time is spent on: measured while it runs, kept as a property of its result, told in the report."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rig.evidence.results import TestResult

#: The property of a result that tells it, as words and seconds: `known 1.20 update 0.41`.
PROPERTY = "spent"
BOARD, KNOWN, UPDATE, LANDING, OUTCOME, AFTER, BACK = "board", "known", "update", "landing", "outcome", "after", "back"
#: What each word stands for, in the order in which a test does these.
WORDS = {
    BOARD: "waiting for a board, and connecting to it",
    KNOWN: "bringing it to its known state before the test and its trials",
    UPDATE: "the update until its cut",
    LANDING: "reading back where the cut fell",
    OUTCOME: "what became of the board, and its rescue",
    AFTER: "bringing it back to its known state after the test",
    BACK: "giving it back: a start, and its release",
}
#: What is left: the test's own steps.
REST = "rest"


class TimeSpent:
    """Seconds by word; what is measured twice is added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, word: str) -> Iterator[None]:
        """Count the time until the end of the block, however that ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[word] = self.seconds.get(word, 0.0) + time.monotonic() - began

    def __str__(self) -> str:
        return " ".join(f"{word} {self.seconds[word]:.2f}" for word in WORDS if word in self.seconds)


def spent_of(result: TestResult) -> dict[str, float]:
    """Seconds of a test by word, the rest of it as well; only the rest of one that measured nothing."""
    parts = result.properties.get(PROPERTY, "").split()
    seconds = dict.fromkeys([*WORDS, REST], 0.0)
    for word, text in zip(parts[::2], parts[1::2], strict=False):
        if word in WORDS and re.fullmatch(r"[0-9]+\.[0-9]{2}", text, re.ASCII):  # a test may write anything here
            seconds[word] = float(text)
    seconds[REST] = max(result.seconds - sum(seconds.values()), 0.0)
    return seconds


def total(results: Iterable[TestResult]) -> dict[str, float]:
    """Seconds of all tests together, by word."""
    each = [spent_of(result) for result in results]
    return {word: sum(one[word] for one in each) for word in (*WORDS, REST)}


def longest_first(results: Sequence[TestResult]) -> list[TestResult]:
    """Tests that took any time, longest first."""
    return sorted((result for result in results if result.seconds), key=lambda result: -result.seconds)
