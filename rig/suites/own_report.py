"""The report of a run of pytest alone: the same pages as `rig run`'s, of its board tests, written at its end."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rig.errors import Misuse
from rig.evidence.allure_head import write_allure_head
from rig.evidence.junit import put_head
from rig.evidence.report import SUMMARY, write_summary
from rig.evidence.results import TestResult, judge, judge_interrupted
from rig.evidence.run_log import NAME, RunLog
from rig.evidence.run_record import RunRecord
from rig.evidence.testbed import Testbed
from rig.files import is_there
from rig.suites.kept_reports import KEPT, is_kept, make_report_folder
from rig.suites.result_collector import ResultCollector
from rig.suites.run_settings import FOUND, OWN_REPORT, RUN_ID, chosen_firmware, chosen_rack, is_engineers_own
from rig.suites.tested import what_is_tested

if TYPE_CHECKING:
    from rig.evidence.identity import RunIdentity


def begin_own_report(config: pytest.Config) -> None:
    """Begin the report folder of a run whose board tests were found. Raises Misuse, LabFault."""
    folder = Path(config.option.rig_report)
    if is_there(folder / NAME):
        raise Misuse(f"{folder} has the report of another run", hint="name another with --rig-report")
    tested = what_is_tested(config.stash[RUN_ID], chosen_firmware(config), _testbed(config), _selection(config))
    report = OwnReport(make_report_folder(folder), tested)
    report.begin(config)
    config.stash[OWN_REPORT] = report
    config.pluginmanager.register(report)


class OwnReport(ResultCollector):
    """A pytest plugin that takes the results of board tests, and makes a report of them; other tests are not its."""

    def __init__(self, folder: Path, tested: RunIdentity):
        super().__init__(RunLog(folder, tested))
        self._folder, self._tested = folder, tested
        self._began = time.monotonic()
        self._is_interrupted = False

    def begin(self, config: pytest.Config) -> None:
        """Take what was collected."""
        self._counted = True
        self._collected(len(config.stash[FOUND].titles), config)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        if nodeid in self._titles:
            super().pytest_runtest_logstart(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over."""
        if report.nodeid in self._titles:
            super().pytest_runtest_logreport(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """What cannot be read is told by pytest, and ends the session."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What died in the rack, and whether the run came to its end."""
        super().pytest_sessionfinish(session)
        self._is_interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED

    @property
    def title(self) -> str:
        """On what the run was, and what came of it."""
        return self._record().title

    @property
    def where(self) -> str:
        """Where the report is once it is written, and how long."""
        kept = f" (the last {KEPT} are kept; --rig-report DIR keeps one)" if is_kept(self._folder) else ""
        return f"report: {self._folder / SUMMARY}{kept}"

    def write(self, config: pytest.Config) -> None:
        """Write the pages, and the head into those that pytest was asked for. Raises Misuse, LabFault."""
        record = self._record()
        self._log.ended(record.verdict, record.seconds)
        self._log.close()
        write_summary(self._folder, record)
        if junit := config.getoption("xmlpath", None):
            put_head(Path(os.path.expandvars(junit)).expanduser(), record)
        if allure := config.getoption("allure_report_dir", None):
            write_allure_head(Path(allure), record, over_others=False)

    def _record(self) -> RunRecord:
        results: list[TestResult] = self.results
        verdict = judge_interrupted(results) if self._is_interrupted else judge(results)
        seconds = time.monotonic() - self._began
        return RunRecord(self._tested.narrowed(results), results, verdict, seconds, cases=self.cases)


def _testbed(config: pytest.Config) -> Testbed:
    """Where the boards are: a rack, or what an engineer has acquired."""
    if not is_engineers_own(config):
        coordinator = config.getoption("lg_coordinator", None) or os.environ.get("LG_COORDINATOR")
        rack = chosen_rack(config)
        return Testbed(rack=rack, coordinator=coordinator if rack != "virtual" else None)
    file = config.getoption("lg_env", None) or os.environ["LG_ENV"]
    return Testbed(rack=str(file), coordinator=os.environ.get("LG_COORDINATOR"))


def _selection(config: pytest.Config) -> str:
    return shlex.join(["pytest", *map(str, config.invocation_params.args)])
