"""The pytest plugin, by running pytest inside pytest: whose fault is whose, and what is said of it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

RAISES = """
import pytest
from rig.errors import DeviceFault, LabFault, Misuse

def test_it():
    raise {error}("it broke", board="core-01", phase="erase", hint="look")
"""


@pytest.fixture
def run(pytester):
    pytester.makeconftest('pytest_plugins = ["rig.plugin"]')

    def run(text: str, *options: str):
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    return run


def test_a_lab_fault_is_an_error_and_not_a_failure(run):
    result = run(RAISES.format(error="LabFault"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*lab fault: core-01 in erase: it broke (hint: look)*"])


def test_a_bug_of_a_test_is_an_error_and_keeps_its_traceback(run):
    result = run("def test_it():\n    {}['missing']\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*KeyError: 'missing'*"])


@pytest.mark.parametrize("error", ["DeviceFault", "Misuse"])
def test_other_faults_are_failures_told_in_one_line(run, error):
    result = run(RAISES.format(error=error))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*: core-01 in erase: it broke (hint: look)*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_junit_tells_a_lab_fault_from_a_device_fault(run, pytester):
    run(RAISES.format(error="LabFault") + "\ndef test_other():\n    raise DeviceFault('bad')\n", "--junitxml=j.xml")
    text = (pytester.path / "j.xml").read_text()
    assert 'errors="1"' in text
    assert 'failures="1"' in text
    assert 'name="fault" value="lab fault"' in text


def test_a_test_that_asks_for_no_board_is_told_how(run):
    result = run("def test_it(board):\n    assert board\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*test_it has no marker board(kind) (hint: @pytest.mark.board("spark-core"))*'])


def test_without_a_coordinator_a_test_is_in_error(run, pytester, monkeypatch):
    monkeypatch.setenv("LG_COORDINATOR", "127.0.0.1:9")
    (pytester.path / "bad.yaml").write_text("targets: [")
    text = "import pytest\n@pytest.mark.board('spark-core')\ndef test_it(board):\n    assert board\n"
    result = run(text, "--rack", "bad.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no labgrid coordinator answers at 127.0.0.1:9*"])


def test_tests_that_need_a_special_board_come_first(run):
    result = run(
        "import pytest\n@pytest.mark.board('spark-core')\ndef test_any(): assert True\n"
        "@pytest.mark.board('spark-core', timing='real')\ndef test_real(): assert True\n",
        "-v",
    )
    result.stdout.fnmatch_lines(["*::test_real*", "*::test_any*"])
