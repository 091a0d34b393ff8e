"""What a run of suites came to: each test's result in the rig's own words, the verdict, and the exit status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PASSED, DEVICE_FAULT, LAB_FAULT, MISUSE, NOT_RUN = "passed", "device fault", "lab fault", "misuse", "not run here"
#: What is said of outcomes that are no fault, and that somebody should look at (rig.evidence.compared).
ALOUD = ("better", "moved", "unlisted")
NOTHING, INTERRUPTED, COVERAGE_LOST = "nothing was run", "interrupted", "coverage lost"


@dataclass(slots=True)
class TestResult:
    """One test: `result` is one of the words above, `properties` what it recorded about itself.

    `fault_report` is, of a fault of a board, what was done, expected and seen, in lines.
    """

    __test__ = False

    name: str
    result: str
    seconds: float
    message: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    fault_report: str = ""


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """The run as a whole; `status` is the command's exit status."""

    word: str
    status: int


#: Of a run that has not come to its end yet.
UNDER_WAY = RunVerdict("under way", 3)


def judge(results: Iterable[TestResult]) -> RunVerdict:
    """Misuse before device fault before lab fault; a run that tested nothing proves nothing."""
    seen = [result.result for result in results]
    for word, status in ((MISUSE, 2), (DEVICE_FAULT, 1), (LAB_FAULT, 3)):
        if word in seen:
            return RunVerdict(word, status)
    if PASSED not in seen:
        return RunVerdict(NOTHING, 2)
    return RunVerdict(PASSED, 0)


def short_identity(name: str, sha256: str) -> str:
    """How a test's property `firmware` names an image, without a space: two of one name are two."""
    return f"{name}@{sha256[:12]}"


def judge_interrupted(results: Iterable[TestResult]) -> RunVerdict:
    """The same of a run that did not come to its end: what is missing is the lab's fault, if nothing else is wrong."""
    verdict = judge(results)
    return RunVerdict(INTERRUPTED, 3) if verdict.word in (PASSED, NOTHING) else verdict


def judge_coverage(verdict: RunVerdict, *, is_lost: bool) -> RunVerdict:
    """The same where some coverage was required: a run in which nothing is wrong is not good without it."""
    return RunVerdict(COVERAGE_LOST, 3) if is_lost and verdict.word in (PASSED, NOTHING) else verdict


def is_as_expected(result: TestResult) -> bool:
    """Whether nobody need look at a test: it passed with no other outcome than expected, or cannot be run here."""
    return result.result in (PASSED, NOT_RUN) and result.properties.get("compared") not in ALOUD


def counted(results: Iterable[TestResult]) -> dict[str, int]:
    """How many results there are of each word, in the words' order."""
    return dict(sorted(Counter(result.result for result in results).items()))


def known_defects(results: Iterable[TestResult]) -> dict[str, int]:
    """Known defects that were seen again, and how often."""
    seen: dict[str, int] = {}
    for result in results:
        if name := result.properties.get("known_defect"):
            seen[name] = seen.get(name, 0) + 1
    return seen
