"""What a run of suites came to: each test's result in the rig's own words, the verdict, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

PASSED, DEVICE_FAULT, LAB_FAULT, MISUSE, NOT_RUN = "passed", "device fault", "lab fault", "misuse", "not run here"
NOTHING = "nothing was run"


@dataclass(slots=True)
class TestResult:
    """One test: `result` is one of the words above, `properties` what it recorded about itself."""

    __test__ = False

    name: str
    result: str
    seconds: float
    message: str = ""
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """The run as a whole; `status` is the command's exit status."""

    word: str
    status: int


def judge(results: Iterable[TestResult]) -> RunVerdict:
    """Misuse before device fault before lab fault; a run that tested nothing proves nothing."""
    seen = [result.result for result in results]
    for word, status in ((MISUSE, 2), (DEVICE_FAULT, 1), (LAB_FAULT, 3)):
        if word in seen:
            return RunVerdict(word, status)
    if PASSED not in seen:
        return RunVerdict(NOTHING, 2)
    return RunVerdict(PASSED, 0)


def known_defects(results: Iterable[TestResult]) -> dict[str, int]:
    """Known defects that were seen again, and how often."""
    seen: dict[str, int] = {}
    for result in results:
        if name := result.properties.get("known_defect"):
            seen[name] = seen.get(name, 0) + 1
    return seen
