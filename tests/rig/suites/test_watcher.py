"""What becomes of a test's phases: the gravest fault decides, and no test that was begun is lost."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.evidence.coverage import Cases
from rig.evidence.results import LAB_FAULT, PASSED, TestResult
from rig.evidence.timeline import file_name
from rig.suites.result_collector import Collected
from rig.suites.run import _verdict
from rig.suites.selection import choose
from tests.rig.suites.checks_watcher import PHASES, came_of


@pytest.mark.parametrize("case", PHASES)
def test_the_gravest_fault_of_a_test_decides_whichever_phase_finds_it(tmp_path, case):
    phases, expected = PHASES[case]
    (result,) = came_of(tmp_path, phases)
    assert (result.result, result.message) == expected


def test_a_test_whose_worker_died_is_told_by_its_name(tmp_path):
    (result,) = came_of(tmp_path, [("???", "failed", "worker 'gw0' crashed while running it", None)])
    assert (result.name, result.result) == ("dfu: it", LAB_FAULT)
    assert "crashed" in result.message


ENDS = {
    "tests failed, and no result says so": pytest.ExitCode.TESTS_FAILED,
    "pytest broke": pytest.ExitCode.INTERNAL_ERROR,
}


@pytest.mark.parametrize("case", ENDS)
def test_a_run_has_not_passed_where_pytest_says_that_it_has_not(case):
    assert _verdict([TestResult("a", PASSED, 1.0)], ENDS[case]).status == 3
    assert _verdict([TestResult("a", PASSED, 1.0)], pytest.ExitCode.OK).status == 0


NAMES = {
    "one test in two suites": ("a/test_dfu.py::test_it[a]", "a/test_serial.py::test_it[a]"),
    "cases that differ in signs": ("a/test_dfu.py::test_it[a b]", "a/test_dfu.py::test_it[a-b]"),
    "cases that differ late": (
        "a/test_dfu.py::test_it[" + "a" * 200 + "b]",
        "a/test_dfu.py::test_it[" + "a" * 201 + "]",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_no_timeline_is_written_over_that_of_another_test(case):
    first, second = map(file_name, NAMES[case])
    assert first != second
    assert max(len(first), len(second)) < 140


#: pytest's options that run nothing, as they stand behind `--`, and what is said of them.
OPTIONS = {
    "one that it has not": ("--nonsense", "unrecognized arguments: --nonsense"),
    "one that prints and ends": ("--version", "runs no test"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_run_no_test_are_misuse_in_one_line(tmp_path, case):
    option, said = OPTIONS[case]
    with pytest.raises(Misuse, match=said):
        choose([str(tmp_path), option])


#: How many tests were collected, the cases among them, and what is said of it.
COUNTS = {
    "one": (1, Cases({"a": "a"}, 1), "1 test is to be run (the only case)"),
    "two": (2, Cases({"a": "a", "b": "b"}, 2), "2 tests are to be run (all 2 cases)"),
    "one of others'": (1, None, "1 test is to be run"),
}


@pytest.mark.parametrize("case", COUNTS)
def test_one_test_is_told_as_one(case):
    count, cases, said = COUNTS[case]
    assert str(Collected(count, cases)) == said
