"""The run that `rig run` shows: pytest's own report is silent, and what broke the session is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.errors import RigError
from rig.evidence.results import LAB_FAULT, TestResult
from rig.evidence.run_life import OpenRun
from rig.evidence.run_log import RunLog
from rig.files import is_of_the_disk, unwritable
from rig.suites.result_collector import Listener, ResultCollector
from rig.suites.run_settings import LIFE, NOTES, RUN_ID, SHOWN


class Watcher(ResultCollector):
    """A pytest plugin that takes results and tells a listener of them, in place of pytest's own report.

    `notes` is the folder in which the run's workers leave notes, into which somebody looks.
    """

    def __init__(self, listener: Listener, log: RunLog, life: OpenRun, notes: Path):
        super().__init__(log, listener)
        self._life, self._notes = life, notes
        self.broken_by: RigError | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Say which run this is. The listener tells people what happens: pytest's own report would be in its way."""
        config.pluginmanager.unregister(name="terminalreporter")
        config.stash[RUN_ID], config.stash[NOTES], config.stash[SHOWN] = self._log.run, self._notes, True
        config.stash[LIFE] = self._life

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """A session that ended because of a fault of ours: that says all in one line."""
        if isinstance(fault := excinfo.value.__context__, RigError):
            self.broken_by = self.broken_by or fault

    def pytest_internalerror(self, excrepr: object, excinfo: pytest.ExceptionInfo[BaseException]) -> bool | None:
        """pytest itself broke, or the rack could not be started: that says all in one line."""
        if isinstance(excinfo.value, RigError):
            self.broken_by = self.broken_by or excinfo.value
            return True
        if isinstance(excinfo.value, OSError) and is_of_the_disk(excinfo.value):
            self.broken_by = self.broken_by or unwritable(excinfo.value.filename or "the report", excinfo.value)
            return True
        self.keep(TestResult("pytest", LAB_FAULT, 0.0, str(excrepr).strip().splitlines()[-1]))
        return None
