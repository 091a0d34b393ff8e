"""Somebody's own tests, from a folder of their own: with `rig run`, and with pytest alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from rig.firmware.checkout import ROOT, part
from rig.suites.request import files_and_options
from tests.rig.firmware.own_firmware import lamp, written
from tests.rig.rack.rig_up import Up
from tests.rig.suites.checks_own_tests import OF_BOARDS, OF_OTHERS
from tests.rig.suites.rig_run import rig_run
from tests.rig.waiting import HANGS

OF_ANOTHER = """
import pytest

@pytest.mark.board("spark-core", mode="wired", revision="black", locked="no")
def test_it(board):
    assert board.name
"""
CORES, ESP32S = part("places", "virtual.yaml"), part("places", "virtual-esp32.yaml")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder of somebody's: the test that the README shows, and others."""
    (text,) = re.findall(r"## Write a test\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    folder = tmp_path_factory.mktemp("own")
    (folder / "test_mine.py").write_text(text)
    (folder / "test_cases.py").write_text(OF_BOARDS)
    (folder / "test_others.py").write_text(OF_OTHERS)
    written(folder, lamp(new="damaged.bin"))
    return folder


@pytest.fixture(scope="module")
def rack():
    """A rack that somebody else started, with a Core that the engineer has acquired."""
    up = Up("--cores", "2", "--time-scale", "0.1")
    up.client("-p", "core-02", "acquire")
    yield up
    up.end()


def pytest_alone(folder, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *words]
    shell = {key: value for key, value in os.environ.items() if not key.startswith(("LG_", "PYTEST_"))}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS, env={**shell, **env})


def finished(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The results of a run with --json, by the names of tests."""
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return {event["name"]: event["result"] for event in events if event["event"] == "finished"}


@pytest.mark.long
def test_the_readme_s_test_runs_as_a_file_of_ones_own(own, tmp_path):
    done = rig_run("--json", "--report", tmp_path / "r", own / "test_mine.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert finished(done) == {"mine: a cut while programming": "passed"}


def test_pytest_alone_starts_boards_for_the_tests_that_ask_for_them(own):
    done = pytest_alone(own, "test_cases.py", "-k", "its-a-case-in-words")
    assert "1 passed, 1 deselected" in done.stdout, done.stdout


def test_where_no_test_asks_for_a_board_the_plugin_does_nothing(own):
    watched = "import sys, pytest; pytest.main(sys.argv[1:]); print({m for m in sys.modules if m.startswith('rig.')})"
    command = [sys.executable, "-c", watched, "-q", "-p", "no:cacheprovider", "test_others.py"]
    done = subprocess.run(command, cwd=own, capture_output=True, text=True, timeout=HANGS)
    assert "3 passed" in done.stdout
    assert "rig:" not in done.stdout
    heavy = ("lab.rack", "lab.acquisition", "lab.coordinator", "firmware.manifest", "boards.board", "twin")
    assert not [room for room in heavy if f"'rig.{room}'" in done.stdout]


WRONG = {
    "an environment that is not there": (["--lg-env=nowhere.yaml"], "could not be found"),
    "a place that is not named": ([f"--lg-env={CORES}"], "is for the place in LG_PLACE, which is not set"),
    "a rack that is not there": (["--rack=nowhere.yaml"], "no such file"),
    "firmware that is not there": (["--rig-manifest=nowhere.toml"], "cannot read"),
    "firmware that no board would start": (["--rig-manifest=mine.toml"], "lamp-new: no ESP32 would start it"),
    "no number of times": (["--rig-repeat=0"], "--rig-repeat 0 is not a number of times"),
    "no number of seconds": (["--rig-timeout=soon"], "--rig-timeout soon is not a number of seconds"),
    "a kind of board that nobody knows": (["--rig-board=toaster"], "no kind of board is called 'toaster'"),
    "a place of a rack that is not started yet": (["--rig-place=core-01"], "is for --rack FILE"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_ends_pytest_in_one_line_with_status_2(own, case):
    words, reason = WRONG[case]
    done = pytest_alone(own, "test_cases.py", *words)
    (line,) = done.stderr.strip().splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("Exit: rig: ")
    assert reason in line


def test_an_environment_of_another_kind_ends_the_session_in_one_line(own, rack):
    done = pytest_alone(own, f"--lg-env={ESP32S}", "test_cases.py", LG_PLACE="core-02", LG_COORDINATOR=rack.coordinator)
    (line,) = [line for line in done.stdout.splitlines() if "rig: " in line]
    assert "virtual-esp32.yaml does not fit core-02: binding" in line
    assert (done.returncode, "INTERNALERROR" in done.stdout) == (2, False)


def test_a_place_that_the_engineer_has_not_acquired_is_told_with_what_acquires_it(own, rack):
    done = pytest_alone(own, f"--lg-env={CORES}", "test_cases.py", LG_PLACE="core-01", LG_COORDINATOR=rack.coordinator)
    (line,) = [line for line in done.stdout.splitlines() if "rig: " in line]
    assert "core-01 is not acquired (hint: `labgrid-client -p core-01 acquire`)" in line
    assert done.returncode == 3


def test_what_an_engineer_s_own_board_lacks_is_told_in_words(own, rack):
    (own / "test_lacking.py").write_text(OF_ANOTHER)
    words = ("-rs", f"--lg-env={CORES}", "test_lacking.py")
    done = pytest_alone(own, *words, LG_PLACE="core-02", LG_COORDINATOR=rack.coordinator)
    assert "core-02 has no revision=black locked=no" in done.stdout, done.stdout


@pytest.mark.long
def test_an_engineer_s_own_board_is_used_as_it_is_and_left_acquired(own, rack):
    done = pytest_alone(own, f"--lg-env={CORES}", "test_cases.py", LG_PLACE="core-02", LG_COORDINATOR=rack.coordinator)
    assert "2 passed" in done.stdout, done.stdout
    assert re.search(r"^rig: VIRTUAL run \S+ \(tier model, no real board\): passed$", done.stdout, re.M)
    assert "core-02" in rack.client("who")


def test_a_run_is_narrowed_to_one_place_and_repeated(own, rack, tmp_path):
    words = ["--rack", CORES, "--coordinator", rack.coordinator, "--place", "core-01", "--repeat", "2", "-k", "word"]
    done = rig_run("--json", "--report", tmp_path / "r", *words, own / "test_cases.py")
    assert finished(done) == {f"cases: it [word-round-{number}]": "passed" for number in (1, 2)} | {
        f"cases: it [it's a case, in words-round-{number}]": "passed" for number in (1, 2)
    }
    places = {json.loads(line).get("properties", {}).get("place") for line in done.stdout.splitlines()}
    assert places - {None} == {"core-01"}


def test_a_board_that_another_holds_is_waited_for_as_long_as_one_says(own, rack, tmp_path):
    words = ["--rack", CORES, "--coordinator", rack.coordinator, "--place", "core-02", "--wait", "0.5"]
    done = rig_run("--json", "--report", tmp_path / "r", *words, "-k", "its-a-case", own / "test_cases.py")
    assert (done.returncode, set(finished(done).values())) == (3, {"lab fault"})
    assert "every place that fits is taken: core-02 by" in done.stdout


def test_a_place_that_nobody_knows_is_misuse(own, rack, tmp_path):
    words = ["--rack", CORES, "--coordinator", rack.coordinator, "--place", "core-77"]
    done = rig_run("--report", tmp_path / "r", *words, own / "test_cases.py")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "no place is called core-77 (hint: places are core-01, core-02)" in done.stderr


def test_tests_are_listed_and_none_is_run(own):
    done = rig_run("--list", "--json", own / "test_cases.py", "--board", "spark-core")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [test["id"] for test in lines] == [
        "test_cases.py::test_it[its-a-case-in-words]",
        "test_cases.py::test_it[word]",
    ]
    assert lines[0]["title"] == "cases: it [it's a case, in words]"
    assert (lines[0]["board"], lines[0]["tags"]) == ("spark-core", {})


COMMAND_LINES = {
    "nothing": ([], ((), ())),
    "files": (["a.py", "b.py::test_x"], (("a.py", "b.py::test_x"), ())),
    "options": (["-x", "--maxfail", "2"], ((), ("-x", "--maxfail", "2"))),
    "a file and options": (["a.py", "-p", "no:x"], (("a.py",), ("-p", "no:x"))),
}


@pytest.mark.parametrize("case", COMMAND_LINES)
def test_files_come_before_pytest_s_options(case):
    words, expected = COMMAND_LINES[case]
    assert files_and_options(words) == expected
