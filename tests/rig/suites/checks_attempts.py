"""Checks of second attempts on another board; planted faults must fail them."""

from __future__ import annotations

import pytest

from rig.errors import LabFault, Misdescribed
from rig.evidence import second_attempts
from rig.evidence.report import write_report
from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, PASSED, TestResult
from rig.evidence.run_life import OpenRun
from rig.evidence.run_log import RunLog, read_run
from rig.suites import attempts, run
from rig.suites.watcher import Watcher
from tests.rig.evidence.records import a_record, a_test, an_identity


def two_attempts() -> list[TestResult]:
    """A test that failed on one board and passed on another."""
    second = a_test("t", PASSED, place="core-02")
    second.properties |= {second_attempts.ATTEMPT: second_attempts.SECOND, second_attempts.FIRST_PLACE: "core-01"}
    return [a_test("t", DEVICE_FAULT), second]


def both_results_of_a_test_are_kept(tmp_path):
    """As pytest reports them: the same test begins and ends twice."""
    watcher = Watcher(lambda *_: None, RunLog(tmp_path, an_identity()), OpenRun.begin(tmp_path / "l", "r"), tmp_path)
    for outcome in ("failed", "passed"):
        watcher.pytest_runtest_logstart("a.py::test_x")
        told = [("fault", DEVICE_FAULT)] if outcome == "failed" else []
        watcher.pytest_runtest_logreport(
            pytest.TestReport("a.py::test_x", ("a.py", 1, "x"), {}, outcome, "E it broke", "call", user_properties=told)
        )
        watcher.pytest_runtest_logfinish("a.py::test_x")
    assert [result.result for result in watcher.results] == [DEVICE_FAULT, PASSED]
    assert [result.result for result in read_run(tmp_path).results] == [DEVICE_FAULT, PASSED]


def a_pass_on_another_board_mends_nothing(_tmp_path):
    assert run._verdict(two_attempts(), pytest.ExitCode.TESTS_FAILED).status == 1


def one_test_that_failed_on_one_board_is_no_proof_against_the_board(_tmp_path):
    assert [each.cause for each in second_attempts.repeated(two_attempts())] == [second_attempts.FLAKY]


def both_attempts_are_in_the_summary(tmp_path):
    write_report(tmp_path, a_record(*two_attempts()))
    assert "| device fault on core-01 | passed on core-02 | flaky |" in (tmp_path / "summary.md").read_text()


def a_wrong_description_has_no_second_attempt(_tmp_path):
    assert attempts.is_of_its_board(LAB_FAULT, LabFault("its relay is silent"))
    assert not attempts.is_of_its_board(LAB_FAULT, Misdescribed("its tag is wrong"))


def a_bug_of_a_test_has_no_second_attempt(_tmp_path):
    assert not attempts.is_of_its_board(LAB_FAULT, KeyError("missing"))
