"""Whether a board became what its firmware is expected to become (a pytest plugin): no test holds an outcome itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from rig.errors import DeviceFault
from rig.suites.report_properties import property_recorder
from rig.suites.run_settings import RUN_ID, chosen_expectations

if TYPE_CHECKING:
    from rig.campaign.bench import Bench, TrialResult
    from rig.firmware.expectations import Expectations, Expected, KnownDefect, Situation
    from rig.firmware.outcomes import Became, Wanted

#: Words beside those of a comparison: the file says nothing of it, and a baseline is being recorded.
UNLISTED, RECORDED = "unlisted", "recorded"
Record = Callable[[str, object], None]


class AsExpected:
    """Compares what a board became with what is expected of its firmware: worse is a fault of the device.

    Better, moved and unlisted are told aloud and are no fault. Each comparison is a line of the ledger.
    """

    def __init__(
        self, bench: Bench[Any], variant: str, expectations: Expectations, subject: dict[str, str], note: Record
    ):
        self._bench, self._variant, self._expectations = bench, variant, expectations
        self._subject, self._note = subject, note
        self._is_aloud = False

    def __call__(self, result: TrialResult, wanted: Wanted = "new", *, case: str | None = None) -> None:
        """Compare what came of a cut: by the phase it landed in, or by a `case` where that says too little.

        Raises DeviceFault for what is worse.
        """
        self.of(result.line["path"], case or result.landing.phase, result.outcome.became, wanted)

    def of(self, path: str, case: str, became: Became, wanted: Wanted = "new") -> None:
        """Compare what came of something else than a cut, called `case`. Raises DeviceFault for what is worse."""
        from rig.firmware.expectations import Situation

        board = self._bench.board
        situation = Situation(board.kind, path, case, board.tags.get("generation", "unknown"), self._variant)
        expected = self._expectations.expected(situation)
        word = self._word(expected, became, wanted)
        self._keep(situation, expected, became, word, wanted)
        if word == "worse" and expected is not None:
            file = self._expectations.file_for(situation).path
            raise DeviceFault(
                f"became {became}, which is worse than {expected.became}, as {file.name} expects",
                board=board.name,
                phase=str(situation),
                hint="where this firmware is right, `rig run --record FILE` writes down what it does",
                expected=f"{expected.became}, as {file} says",
                seen=str(became),
                at_ns=became.at_ns,
            )

    def _word(self, expected: Expected | None, became: Became, wanted: Wanted) -> str:
        from rig.firmware.outcomes import compare

        return compare(expected.became, became, wanted) if expected is not None else UNLISTED

    def _keep(self, situation: Situation, expected: Expected | None, became: Became, word: str, wanted: Wanted) -> None:
        """Note it in the test's properties, where what is not the same stays, and in the ledger."""
        known = self._expectations.defects.get(self._defect(expected, became, wanted) or "")
        if not self._is_aloud:
            self._is_aloud = word not in ("same", RECORDED)
            self._note("became", f"{situation.case} → {became.name}")
            self._note("compared", word)
            self._note("expected", str(expected.became) if expected is not None else "")
        if known is not None:
            note_defect(known, self._note)
        content = {"outcome": became.name, "rung": became.rung, "wanted": wanted, "word": word}
        content |= {"expected": str(expected.became) if expected is not None else None}
        content |= {"defect": known.name if known is not None else None}
        self._bench.ledger.append("compared", {**self._subject, **asdict(situation), **content})

    def _defect(self, expected: Expected | None, became: Became, wanted: Wanted) -> str | None:
        """The known defect that was seen again: where the outcome is the one that is expected."""
        from rig.firmware.outcomes import compare

        if expected is None or compare(expected.became, became, wanted) != "same":
            return None
        return expected.defect


class Recording(AsExpected):
    """Compares nothing: what a board becomes is kept for the baseline that the run writes."""

    def _word(self, expected: Expected | None, became: Became, wanted: Wanted) -> str:
        return RECORDED


def note_defect(defect: KnownDefect, note: Record) -> None:
    """Say of a test that it saw a known defect: in its properties, and as Allure shows one."""
    from rig.evidence.allure_bridge import report_known_defect

    note("known_defect", defect.name)
    for field in ("title", "text", "severity", "reference"):
        note(f"known_defect_{field}", getattr(defect, field))
    report_known_defect(defect.title, defect.text, defect.severity, defect.reference)


@pytest.fixture
def as_expected(bench: Bench[Any], request: pytest.FixtureRequest) -> AsExpected:
    """Compare what became of the bench's board with what its firmware is expected to become."""
    from rig.firmware.expectations import DEFAULT_VARIANT

    marker = request.node.get_closest_marker("firmware")
    variant = marker.args[0] if marker is not None else DEFAULT_VARIANT
    subject = {"run": request.config.stash[RUN_ID], "place": bench.board.name, "test": request.node.name}
    kind = Recording if request.config.getoption("--rig-record") else AsExpected
    return kind(bench, variant, chosen_expectations(request.config), subject, property_recorder(request.node))


@pytest.fixture
def known_defect(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note that a test proved a known defect of the firmware's, by name: it is counted aloud and counts as good."""
    defects = chosen_expectations(request.config).defects
    record = property_recorder(request.node)

    def note(name: str) -> None:
        if name in defects:
            note_defect(defects[name], record)
        else:
            record("known_defect", name)

    return note
