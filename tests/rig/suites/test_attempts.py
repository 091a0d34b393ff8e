"""A test whose board failed is run once more on another board: both results are kept, and what they say is told."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from rig.evidence.run_log import read_run
from rig.evidence.second_attempts import ATTEMPT, SECOND, repeated
from rig.firmware.checkout import part
from tests.rig.evidence.records import a_record, a_test
from tests.rig.rack.rig_up import Up
from tests.rig.suites.rig_run import rig_run

#: Tests of somebody's own. Each fails in its way, some of them the first time only, whichever board they have.
MINE = """
import json
import socket
from pathlib import Path

import pytest
from rig.errors import LabFault, Misdescribed, Misuse

pytestmark = pytest.mark.board("spark-core")

def is_first(name):
    before = Path(__file__).with_name(f"{name}.ran")
    return not before.exists() and before.write_text("") == 0

def test_always_well(board):
    assert board.name

def test_broken(board):
    assert board.name == "another", "its application does not start"

def test_now_and_then(board):
    assert not is_first("now-and-then")

def test_its_relay(board):
    if is_first("its-relay"):
        raise LabFault("its relay does not answer", board=board.name)

def test_a_wrong_tag(board):
    raise Misdescribed("its place says what is not so", board=board.name)

def test_a_wrong_call(board):
    raise Misuse("there is no such image")

def test_a_bug_of_its_own(board):
    {}["missing"]

def test_what_a_library_makes_of_it(board):
    json.loads("{")

def test_what_nobody_offers(board, lid):
    assert lid

@pytest.fixture(scope="session")
def shelf(tmp_path):
    return tmp_path

def test_what_lasts_too_long(board, shelf):
    assert shelf

def test_a_door_that_is_shut(board):
    socket.create_connection(("127.0.0.1", 9))
"""
#: What each came to, attempt by attempt.
RESULTS = {
    "always well": ["passed"],
    "broken": ["device fault", "device fault"],
    "now and then": ["device fault", "passed"],
    "its relay": ["lab fault", "passed"],
    "a wrong tag": ["lab fault"],
    "a wrong call": ["misuse"],
    "a bug of its own": ["misuse"],
    "what a library makes of it": ["misuse"],
    "what nobody offers": ["misuse"],
    "what lasts too long": ["misuse"],
    "a door that is shut": ["lab fault"],
}
#: Tests with a bug: the line that has it, and what is told of it.
BUGS = {
    "a bug of its own": ('    {}["missing"]', "KeyError: 'missing'"),
    "what a library makes of it": ('    json.loads("{")', "JSONDecodeError: Expecting property name"),
    "what nobody offers": ("def test_what_nobody_offers(board, lid):", "there is no fixture 'lid'"),
    "what lasts too long": ("def test_what_lasts_too_long(board, shelf):", "ScopeMismatch: "),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two workers run these on a rack of two Cores: each has what the other one needs for a second attempt."""
    folder = tmp_path_factory.mktemp("attempts")
    (folder / "test_mine.py").write_text(MINE)
    up = Up("--cores", "2", "--time-scale", "0.1")
    rack = ("--rack", part("places", "virtual.yaml"), "--coordinator", up.coordinator)
    done = rig_run(folder / "test_mine.py", *rack, "-n", "2", "--report", folder / "r")
    up.end()
    shown = read_run(folder / "r").to_dict()
    return SimpleNamespace(status=done.returncode, said=done.stdout, report=folder / "r", shown=shown)


def results_of(run, test):
    log = map(json.loads, (run.report / "results.jsonl").read_text().splitlines())
    finished = [line["result"] for line in log if line["kind"] == "finished"]
    return [result for result in finished if result["name"] == f"mine: {test}"]


@pytest.mark.parametrize("test", BUGS)
def test_a_bug_in_a_test_is_told_with_its_line(run, test):
    line, told = BUGS[test]
    (result,) = results_of(run, test)
    assert result["message"].startswith(f"misuse: test_mine.py:{MINE.splitlines().index(line) + 1}: {told}")


@pytest.mark.parametrize("test", RESULTS)
def test_every_attempt_is_kept_and_only_a_fault_of_the_board_has_a_second(run, test):
    attempts = results_of(run, test)
    assert [result["result"] for result in attempts] == RESULTS[test]
    places = {result["properties"].get("place") for result in attempts}
    assert len(places) == len(attempts), "each on a board of its own"


def test_the_run_says_whose_fault_it_is(run):
    told = {each["test"].removeprefix("mine: "): each["cause"] for each in run.shown["repeated"]}
    assert told == {"broken": "firmware", "now and then": "flaky", "its relay": "board"}


def test_a_second_attempt_that_passed_mends_nothing(run):
    assert (run.status, run.shown["counts"]["device fault"]) == (2, 3), "misuse comes first"


def by_name(path):
    """How many results JUnit has of each test, and how many of them were good."""
    found: dict[str, list[bool]] = {}
    for case in ET.parse(path).iter("testcase"):
        is_good = case.find("failure") is None and case.find("error") is None
        found.setdefault(case.get("name", ""), []).append(is_good)
    return found


def test_junit_has_both(run):
    assert by_name(run.report / "junit.xml")["test_now_and_then"] == [False, True]
    assert by_name(run.report / "junit.xml")["test_broken"] == [False, False]


def test_allure_has_both_as_attempts_of_one_test(run):
    results = [json.loads(path.read_text()) for path in (run.report / "allure-results").glob("*-result.json")]
    flaky = [result for result in results if result["name"] == "mine: now and then"]
    assert sorted(result["status"] for result in flaky) == ["failed", "passed"]
    assert len({result["historyId"] for result in flaky}) == 1


@pytest.mark.parametrize("page", ["the terminal", "the summary"])
def test_people_are_told_of_both(run, page):
    page_text = run.said if page == "the terminal" else (run.report / "summary.md").read_text()
    assert "1 firmware, 1 flaky, 1 board" in page_text
    (line,) = (line for line in page_text.splitlines() if "now and then" in line and "flaky" in line)
    assert "device fault on core-0" in line
    assert "passed on core-0" in line


def on(place: str, result: str, name: str = "t", *, again: bool = False):
    test = a_test(name, result, place=place)
    test.properties |= {ATTEMPT: SECOND} if again else {}
    return test


def pair(name: str, first: str, second: str, place: str = "core-01"):
    return [on(place, first, name), on("core-02", second, name, again=True)]


D, L, P, N = "device fault", "lab fault", "passed", "not run here"
#: Results in the order in which they came, and what is said of each pair.
SAID = {
    "two boards failed": (pair("a", D, D), ["firmware"]),
    "one test failed on one board": (pair("a", D, P), ["flaky"]),
    "two tests failed on one board only": ([*pair("a", D, P), *pair("b", D, P)], ["board", "board"]),
    "two tests failed on a board each": ([*pair("a", D, P), *pair("b", D, P, "core-03")], ["flaky", "flaky"]),
    "the lab of one board failed": (pair("a", L, P), ["board"]),
    "the lab failed": (pair("a", L, L), ["lab"]),
    "each another fault": ([*pair("a", D, L), *pair("b", L, D)], ["unclear", "unclear"]),
    "the other board went": (pair("a", D, N), ["unclear"]),
    "there was no other board": ([on("core-01", D)], []),
    "tests between the two": ([on("core-01", D), on("core-03", P, "b"), on("core-02", P, again=True)], ["flaky"]),
}


@pytest.mark.parametrize("case", SAID)
def test_what_two_results_say(case):
    results, said = SAID[case]
    assert [each.cause for each in repeated(results)] == said


def test_a_run_in_which_nothing_was_repeated_says_nothing_of_it():
    record = a_record(a_test("a", D))
    assert record.to_dict()["repeated"] == []
