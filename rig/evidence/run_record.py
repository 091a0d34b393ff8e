"""A run as its report tells it: what was tested, what came of each test, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rig.evidence.compared import counted_words
from rig.evidence.coverage import Cases, Coverage
from rig.evidence.every_cut import EveryCut
from rig.evidence.identity import RunIdentity
from rig.evidence.required import Required
from rig.evidence.results import RunVerdict, TestResult, counted, known_defects
from rig.evidence.second_attempts import RepeatedTest, repeated


@dataclass(slots=True)
class RunRecord:
    """`seconds` is how long it took; of a run that was `killed`, until the last that is known of it."""

    identity: RunIdentity
    results: list[TestResult]
    verdict: RunVerdict
    seconds: float
    killed: bool = False
    #: How many tests it was to run; None where that is not known.
    chosen: int | None = None
    #: Names of tests that had begun when the run was killed.
    under_way: list[str] = field(default_factory=list)
    #: The cases that were collected; None where no test asks for a board, or nothing was collected yet.
    cases: Cases | None = None
    #: Which coverage was required, if any was.
    required: Required | None = None
    #: Sweeps on the model beside what was cut on boards.
    swept: list[EveryCut] = field(default_factory=list)

    @property
    def title(self) -> str:
        """One line that says on what the run was, and what came of it."""
        text = f"{self.identity.testbed.titled(self.identity.run)}: {self.verdict.word}"
        return f"{text}; it was killed before its end" if self.killed else text

    @property
    def repeated(self) -> list[RepeatedTest]:
        """Tests that had a second attempt on another board, and whose fault the two results say it is."""
        return repeated(self.results)

    @property
    def coverage(self) -> Coverage | None:
        """Which cases were run; None where there is none."""
        return Coverage.of(self.cases, self.results) if self.cases is not None else None

    @property
    def lost(self) -> list[str]:
        """What was required and is not covered, a line each."""
        return self.required.lost(self.coverage or Coverage.of(Cases(), ())) if self.required is not None else []

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the results."""
        testbed = self.identity.testbed
        return {
            "title": self.title,
            "verdict": self.verdict.word,
            "status": self.verdict.status,
            "killed": self.killed,
            "seconds": round(self.seconds, 1),
            "chosen": self.chosen,
            "counts": counted(self.results),
            "known_defects": known_defects(self.results),
            "compared": counted_words(self.results),
            "coverage": self.coverage.to_dict() if self.coverage is not None else None,
            "required": self.required.text if self.required is not None else None,
            "lost": self.lost,
            "repeated": [each.to_dict() for each in self.repeated],
            "under_way": self.under_way,
            "swept": [each.to_dict() for each in self.swept],
            "tested": {"nature": testbed.nature, "tier": testbed.tier, **self.identity.model_dump(mode="json")},
        }
