"""Checks of what becomes of a test's phases; planted faults must fail them."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, MISUSE, NOT_RUN, PASSED
from rig.evidence.run_log import RunLog
from rig.suites.watcher import Watcher
from tests.rig.evidence.records import an_identity

NODE = "tests/boards/spark_core/test_dfu.py::test_it"
#: Phases of one test (when, how pytest calls it, what is said, whose fault), and what the test came to.
PHASES = {
    "all good": ([("call", "passed", "", None), ("teardown", "passed", "", None)], (PASSED, "")),
    "the lab's, and then the board is found dead": (
        [("setup", "failed", "did not land", LAB_FAULT), ("teardown", "failed", "is dead", DEVICE_FAULT)],
        (DEVICE_FAULT, "is dead"),
    ),
    "the device's, and then the relay hangs": (
        [("call", "failed", "runs the old", DEVICE_FAULT), ("teardown", "failed", "no answer", LAB_FAULT)],
        (DEVICE_FAULT, "runs the old"),
    ),
    "not run, and then the board is found dead": (
        [("call", "skipped", "no image", None), ("teardown", "failed", "is dead", DEVICE_FAULT)],
        (DEVICE_FAULT, "is dead"),
    ),
    "the device's, and then something is not run": (
        [("call", "failed", "runs the old", DEVICE_FAULT), ("teardown", "skipped", "no cloud", None)],
        (DEVICE_FAULT, "runs the old"),
    ),
    "misuse after all": (
        [("call", "failed", "is dead", DEVICE_FAULT), ("teardown", "failed", "no such role", MISUSE)],
        (MISUSE, "no such role"),
    ),
    "not run": ([("setup", "skipped", "no image", None), ("teardown", "passed", "", None)], (NOT_RUN, "no image")),
}


def came_of(folder, phases):
    """The results of a run with one test of these phases."""
    with contextlib.closing(RunLog(folder, an_identity())) as log:
        watcher = Watcher(lambda _event, _content: None, log, SimpleNamespace(), folder)
        watcher.pytest_runtest_logstart(NODE)
        for when, outcome, said, fault in phases:
            longrepr = (NODE, 1, said) if outcome == "skipped" else said
            told = [("fault", fault)] if fault else []
            report = pytest.TestReport(NODE, (NODE, 1, "it"), {}, outcome, longrepr, when, user_properties=told)
            watcher.pytest_runtest_logreport(report)
        if phases[-1][0] == "teardown":
            watcher.pytest_runtest_logfinish(NODE)
    return watcher.results


def no_phase_hides_a_graver_fault(folder):
    for number, (phases, expected) in enumerate(PHASES.values()):
        (result,) = came_of(folder / str(number), phases)
        assert (result.result, result.message) == expected
