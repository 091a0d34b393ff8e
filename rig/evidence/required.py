"""Which coverage a run must have: all cases there are, a share of them, or those that a file names."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.evidence.coverage import Coverage
from rig.files import MOST_TEXT, is_there, read_text

ALL = "all"
_HINT = "as `all`, `90%`, or a file with a case a line, as `rig run --list` prints them"


@dataclass(frozen=True, slots=True)
class Required:
    """What was required: `text` as somebody wrote it, `percent` of all cases there are, or `cases` by id or title."""

    text: str
    percent: str = ""
    cases: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Required:
        """From `all`, `N%` or the name of a file. Raises Misuse."""
        if text == ALL:
            return cls(text, "100")
        if (share := re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)%", text)) is not None:
            if Decimal(share[1]) > 100:
                raise Misuse(f"--require {text} is more than there is", hint=_HINT)
            return cls(text, share[1])
        if not is_there(Path(text)):
            raise Misuse(f"--require {text}: no such file", hint=_HINT)
        cases = tuple(filter(None, map(_case, read_text(Path(text), MOST_TEXT).splitlines())))
        if not cases:
            raise Misuse(f"{text} names no case", hint=_HINT)
        return cls(text, cases=cases)

    def lost(self, coverage: Coverage) -> list[str]:
        """What was required and is not covered, a line each; nothing where all is."""
        return self._lost_cases(coverage) if self.cases else self._lost_share(coverage)

    def to_dict(self) -> dict[str, Any]:
        """As a line of the run's log has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, required: dict[str, Any]) -> Required:
        """The same again."""
        return cls(str(required["text"]), str(required["percent"]), tuple(map(str, required["cases"])))

    def _lost_share(self, coverage: Coverage) -> list[str]:
        there_are = coverage.cases.there_are
        if there_are and coverage.count * 100 >= Decimal(self.percent) * there_are:
            return []
        left_out = there_are - len(coverage.cases.chosen)
        left_out_line = [f"{left_out} cases were left out by the choice of tests"] if left_out else []
        return [f"{coverage.count} of {there_are} cases were run", *left_out_line, *map(str, coverage.not_run)]

    def _lost_cases(self, coverage: Coverage) -> list[str]:
        chosen = coverage.cases.chosen
        titles = {**{title: title for title in chosen.values()}, **chosen}
        why = {each.case: each.reason for each in coverage.not_run}
        lost = []
        for case in self.cases:
            if case not in titles:
                lost.append(f"{case}: was left out by the choice of tests, or there is no such case")
            elif titles[case] not in coverage.ran:
                lost.append(f"{case}: {why[titles[case]]}")
        return lost


def _case(line: str) -> str:
    """The case that a line names; a remark, a count, and what `rig run --list` sets in below a case name none."""
    if line.startswith(("#", " ", "\t")) or re.fullmatch(r"\d+ tests?", line):
        return ""
    return line.strip()
