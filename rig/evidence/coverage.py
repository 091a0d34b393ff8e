"""Which cases of all there are a run has run, and which of those it was to run it has not, and why.

A case is a board test with its parameters. It was run where it says something of the firmware: it passed, or the device
was at fault, on whichever board. A lab fault says nothing of firmware, and neither does a test that is not run here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rig.evidence.results import DEVICE_FAULT, NOT_RUN, PASSED, TestResult

#: Property of a test that is not run here: the tags that the most fitting place lacks.
MISSING = "missing"
_NO_RESULT = "it did not come to its end"


@dataclass(frozen=True, slots=True)
class Cases:
    """What was collected: the `chosen` cases, their titles by their ids, and how many `there_are` with those left out.

    `long_left_out` counts those that were left out because they take their time.
    """

    chosen: Mapping[str, str] = field(default_factory=dict)
    there_are: int = 0
    long_left_out: int = 0

    def __str__(self) -> str:
        count = len(self.chosen)
        if count == self.there_are:
            return f"all {count} cases" if count != 1 else "the only case"
        if self.long_left_out == self.there_are - count:
            return f"quick selection: {count} of {self.there_are} cases; --long for all"
        hint = "; --long for those that take their time, too" if self.long_left_out else ""
        return f"{count} of {self.there_are} cases{hint}"


@dataclass(frozen=True, slots=True)
class NotRun:
    """A case that was chosen and not run; `missing` are the tags that the most fitting place lacks, if it is that."""

    case: str
    why: str
    missing: str = ""

    @property
    def reason(self) -> str:
        """The missing tags, else why."""
        return f"missing {self.missing}" if self.missing else self.why

    def __str__(self) -> str:
        return f"{self.case}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a run covers of its cases."""

    cases: Cases
    #: Titles of the cases that were run.
    ran: frozenset[str]
    not_run: tuple[NotRun, ...]

    @classmethod
    def of(cls, cases: Cases, results: Iterable[TestResult]) -> Coverage:
        """Of a run's results; a case that was run on two boards counts once."""
        last: dict[str, TestResult] = {}
        ran: set[str] = set()
        for result in results:
            last[result.name] = result
            if result.result in (PASSED, DEVICE_FAULT):
                ran.add(result.name)
        titles = cases.chosen.values()
        missed = tuple(_not_run(title, last.get(title)) for title in titles if title not in ran)
        return cls(cases, frozenset(ran & set(titles)), missed)

    @property
    def count(self) -> int:
        """How many cases were run."""
        return len(self.cases.chosen) - len(self.not_run)

    def reasons(self) -> dict[str, int]:
        """Why cases were not run, and how many of each; the most first."""
        return dict(Counter(each.reason for each in self.not_run).most_common())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {"run": self.count, "chosen": len(self.cases.chosen), "there_are": self.cases.there_are}
        return {**counts, "not_run": [asdict(each) for each in self.not_run]}

    def __str__(self) -> str:
        return f"{self.count} of {self.cases.there_are} cases were run ({self.cases})"


def _not_run(case: str, result: TestResult | None) -> NotRun:
    if result is None:
        return NotRun(case, _NO_RESULT)
    text = result.message.removeprefix(f"{NOT_RUN}: ").removeprefix(f"{result.result}: ")
    why = text if result.result == NOT_RUN else f"{result.result}: {text}"
    return NotRun(case, why, result.properties.get(MISSING, ""))
