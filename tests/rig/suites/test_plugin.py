"""The pytest plugin, by running pytest inside pytest: whose fault is whose, and what is said of it."""

from __future__ import annotations

import pytest

from rig.evidence.run_log import read_run
from rig.firmware.checkout import part

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


def test_a_bug_of_a_test_is_misuse_and_keeps_its_traceback(run, pytester):
    text = "import pytest\n@pytest.mark.board('spark-core')\ndef test_it():\n    {}['missing']\n"
    result = run(text, "--junitxml=j.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*missing*", "*KeyError: 'missing'*"])
    assert 'name="fault" value="misuse"' in (pytester.path / "j.xml").read_text()


def test_pytest_alone_says_which_boards_were_not_real_and_what_was_known(run):
    told = [("place", "core-01"), ("tier", "model"), ("known_defect", "burns"), ("known_defect_title", "It burns")]
    text = "import pytest\n@pytest.mark.board('spark-core')\ndef test_it(record_property):\n"
    result = run(text + "".join(f"    record_property{each}\n" for each in told), "-q")
    result.stdout.fnmatch_lines(
        ["rig: VIRTUAL boards (tier model): core-01", "rig: known defect seen: It burns (burns)"]
    )


A_PLACE = "@pytest.mark.board('spark-core')\ndef test_it(record_property):\n    record_property('tier', 'model')\n"


@pytest.mark.parametrize("how", [(), ("-n1", "--dist=loadgroup")], ids=["alone", "with workers"])
def test_pytest_alone_leaves_the_report_that_it_names(run, pytester, how):
    result = run(f"import pytest\n{A_PLACE}    record_property('place', 'core-01')\n", "-q", "--rig-report=r", *how)
    result.stdout.fnmatch_lines(["rig: VIRTUAL run *: passed", "rig: report: r/summary.md"])
    summary = (pytester.path / "r" / "summary.md").read_text()
    assert summary.startswith("# VIRTUAL run ")
    assert read_run(pytester.path / "r").verdict.word == "passed"


@pytest.mark.long
def test_a_report_is_not_written_over(run):
    text = f"import pytest\n{A_PLACE}"
    assert run(text, "--rig-report=r").ret == 0
    again = run(text, "--rig-report=r")
    again.stdout.fnmatch_lines(["*rig: r has the report of another run (hint: name another with --rig-report)*"])
    assert again.ret == 2


def test_who_only_looks_at_tests_leaves_no_report(run, pytester):
    run(f"import pytest\n{A_PLACE}", "--collect-only", "--rig-report=r")
    assert not (pytester.path / "r").exists()


def test_a_bug_where_no_test_is_of_boards_stays_what_pytest_calls_it(run):
    result = run("def test_it():\n    {}['missing']\n")
    result.assert_outcomes(failed=1)


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
    result.stdout.fnmatch_lines(['*test_it has no marker board(kind) (hint: @pytest.mark.board("KIND"))*'])


def test_without_a_coordinator_a_test_is_in_error(run, pytester, monkeypatch):
    monkeypatch.setenv("LG_COORDINATOR", "127.0.0.1:9")
    text = "import pytest\n@pytest.mark.board('spark-core')\ndef test_it(board):\n    assert board\n"
    result = run(text, f"--rack={part('places', 'virtual.yaml')}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no labgrid coordinator answers at 127.0.0.1:9*"])


def test_tests_that_need_a_special_board_come_first(run):
    result = run(
        "import pytest\n@pytest.mark.board('spark-core')\ndef test_any(): assert True\n"
        "@pytest.mark.board('spark-core', timing='real')\ndef test_real(): assert True\n",
        "-v",
    )
    result.stdout.fnmatch_lines(["*::test_real*", "*::test_any*"])
