"""pytest's reports become results, test by test: each is in the run's log before anybody is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from rig.evidence.coverage import Cases
from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, MISUSE, NOT_RUN, PASSED, TestResult
from rig.evidence.run_log import RunLog
from rig.suites.run_settings import FOUND, LOST, RACK
from rig.suites.titles import display_name

#: Told as it happens: ("begun", RunRecord), ("cannot-run", what tests ask for in vain here, rig.suites.fit), ("ended",
#: the id of a killed run whose ledger was ended), ("collected", Collected), ("started", name), ("finished",
#: TestResult); and, on a thread of its own, ("waiting", who has what is waited for; empty when nothing is any more) and
#: ("told", what was found of the lab).
Listener = Callable[[str, Any], None]

#: What a phase of a test may come to: what is found later in a test hides nothing graver, and nothing graver it.
_GRAVITY = (PASSED, NOT_RUN, LAB_FAULT, DEVICE_FAULT, MISUSE)
#: How xdist tells of a test whose worker died; nothing more comes of such a test.
_CRASHED = "???"


@dataclass(frozen=True, slots=True)
class Collected:
    """How many tests are to be run, and the cases on boards among them; None where there is none."""

    count: int
    cases: Cases | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the cases themselves."""
        cases = self.cases
        chosen = {"cases": len(cases.chosen), "there_are": cases.there_are} if cases is not None else {}
        return {"count": self.count, **chosen}

    def __str__(self) -> str:
        text = "1 test is" if self.count == 1 else f"{self.count} tests are"
        return f"{text} to be run" + (f" ({self.cases})" if self.cases is not None else "")


def ignore_event(_event: str, _content: Any) -> None:
    """A listener where nobody listens."""


class ResultCollector:
    """A pytest plugin that turns reports into results, logs them and tells a listener."""

    def __init__(self, log: RunLog, listener: Listener = ignore_event):
        self._log, self._listener = log, listener
        self._titles: dict[str, str] = {}
        self._open: dict[str, TestResult] = {}
        self._counted = False
        self.cases: Cases | None = None
        self.results: list[TestResult] = []
        self.lost_a_worker = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers: how many tests there are."""
        if session.items:
            self._collected(len(session.items), session.config)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """With workers: the same, told by each of them and passed on once."""
        if not self._counted:
            self._counted = True
            self._collected(len(ids), node.config)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._open[nodeid] = TestResult(self._title(nodeid), PASSED, 0.0)
        self._log.started(self._open[nodeid].name)
        self._listener("started", self._open[nodeid].name)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over; the gravest fault decides, and of two alike the first."""
        result = self._open.setdefault(report.nodeid, TestResult(self._title(report.nodeid), PASSED, 0.0))
        result.seconds += report.duration
        result.properties.update({key: str(value) for key, value in report.user_properties})
        result.properties.pop("title", None)  # it is the result's name
        if report.when == _CRASHED:
            result.result, result.message = LAB_FAULT, str(report.longrepr)
            self.pytest_runtest_logfinish(report.nodeid)
        elif report.skipped:
            _take(result, NOT_RUN, _reason(report))
        elif report.failed:
            line, fault_report = getattr(report, "rig_line", None), getattr(report, "rig_fault_report", "")
            fault = result.properties.get("fault", DEVICE_FAULT if report.when == "call" else LAB_FAULT)
            _take(result, fault, line or _last_line(report), fault_report)

    def _title(self, nodeid: str) -> str:
        return self._titles.get(nodeid) or display_name(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test is over."""
        if result := self._open.pop(nodeid, None):
            self.keep(result)
            self._listener("finished", result)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot even be read is the caller's fault."""
        if report.failed:
            self.keep(TestResult(report.nodeid, MISUSE, 0.0, _last_line(report)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What died in the rack while tests ran explains their faults: it is named, as are boards not brought back."""
        rack = session.config.stash.get(RACK, None)
        for death in rack.dead() if rack is not None else []:
            self.keep(TestResult("rack", LAB_FAULT, 0.0, death.exit_description()))
        for fault in session.config.stash.get(LOST, []):
            self.keep(TestResult(f"rack: {fault.board}", LAB_FAULT, 0.0, str(fault)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that died takes its test with it: a fault of the lab."""
        if error:
            self.lost_a_worker = True
            self.keep(TestResult(f"worker {node.gateway.id}", LAB_FAULT, 0.0, str(error)))

    def _collected(self, count: int, config: pytest.Config) -> None:
        found = config.stash.get(FOUND, None)
        self._titles = found.titles if found is not None else {}
        if found is not None and found.titles:
            self.cases = Cases(found.titles, found.there_are, found.long_left_out)
        self._log.collected(count, self.cases)
        self._listener("collected", Collected(count, self.cases))

    def keep(self, result: TestResult) -> None:
        """What came of a test, or of something else in the run: on the disk before anybody is told."""
        self.results.append(result)
        self._log.finished(result)


def _take(result: TestResult, word: str, message: str, fault_report: str = "") -> None:
    """Let a phase decide what a test came to, if none was graver before."""
    if _GRAVITY.index(word) > _GRAVITY.index(result.result):
        result.result, result.message, result.fault_report = word, message, fault_report


def _last_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = str(report.longrepr).strip()
    marked = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (marked or text.splitlines() or ["no reason given"])[0 if marked else -1]


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
