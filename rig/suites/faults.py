"""Whose fault a failure is: the device's, the lab's or the caller's (a pytest plugin)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from rig.errors import DeviceFault, Misuse, RigError, Unreachable
from rig.evidence.allure_bridge import attach_fault_report
from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, MISUSE
from rig.suites.attempts import note_failure
from rig.suites.bugs import bug_of_test
from rig.suites.fault_report import FaultReport, fault_report_of
from rig.suites.run_settings import FOUND


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say whose fault a failure is: an assertion's or DeviceFault's the device's, a Misuse's or a bug's the caller's.

    A lab fault is an error of the test, never a failure of the device; the rig's own faults are told in one line.
    """
    outcome: Any = yield
    report = outcome.get_result()
    error = call.excinfo.value if call.excinfo is not None else None
    is_ours = isinstance(error, RigError) or FOUND in item.config.stash
    if not report.failed or error is None or not is_ours:  # a failure of somebody's tests without boards is theirs
        return
    error = _in_doubt(item, call, error)
    bug = bug_of_test(item, call)
    fault = _whose_fault(error) if bug is None else MISUSE
    note_failure(item, fault, error)
    fault_report = _fault_report(item, call, error) if fault == DEVICE_FAULT else None
    for properties in (report.user_properties, item.user_properties):
        properties.append(("fault", fault))
    if isinstance(error, RigError):
        report.longrepr = (
            f"{fault}: {error}" if fault_report is None else f"{fault}: {fault_report.line}\n{fault_report}"
        )
    if bug is not None:
        report.rig_line = f"{fault}: {bug}"
    if fault_report is not None:
        report.rig_line, report.rig_fault_report = f"{fault}: {fault_report.line}", str(fault_report)
        attach_fault_report(report.rig_fault_report)
        if not isinstance(error, RigError):
            report.longrepr.addsection("what happened", report.rig_fault_report)
    if fault == LAB_FAULT and report.when == "call":
        report.when = "setup"  # pytest calls a failure outside of `call` an error, and so do its reports


def _fault_report(item: pytest.Item, call: pytest.CallInfo[None], error: BaseException) -> FaultReport | None:
    """The report of a fault of the test's board; None without one."""
    fixtures = getattr(item, "funcargs", None) or {}
    board, bench = fixtures.get("board"), fixtures.get("bench")
    if call.excinfo is None or board is None or not hasattr(board, "history"):
        return None
    return fault_report_of(error, call.excinfo, board, bench.timeline.moments if bench is not None else ())


def _in_doubt(item: pytest.Item, call: pytest.CallInfo[None], error: BaseException) -> BaseException:
    """A failure of a device that could not be heard for a while is the lab's."""
    board = getattr(item, "funcargs", {}).get("board") if item.get_closest_marker("board") else None
    since_ns = time.monotonic_ns() - int(call.duration * 1e9)
    if board is None or _whose_fault(error) != DEVICE_FAULT or not board.hung_since(since_ns):
        return error
    text = " ".join(str(error).split()) or type(error).__name__
    return Unreachable(f"what shows its signs hung, which says nothing of: {text}", board=board.name)


def _whose_fault(error: BaseException) -> str:
    if isinstance(error, (AssertionError, DeviceFault, pytest.fail.Exception)):
        return DEVICE_FAULT
    return MISUSE if isinstance(error, Misuse) else LAB_FAULT
