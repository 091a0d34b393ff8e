"""What a run covers is said aloud: cases run of all there are, the missing tags of others, and what was required."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from rig.errors import Misuse
from rig.evidence.coverage import MISSING, Cases, Coverage
from rig.evidence.rebuild import rebuild_report
from rig.evidence.required import Required
from rig.evidence.results import RunVerdict, judge_coverage
from rig.firmware.checkout import part
from tests.rig.evidence.records import a_test
from tests.rig.rack.rig_up import Up
from tests.rig.suites.rig_run import rig_run

MINE = """
import pytest

@pytest.mark.board("spark-core")
@pytest.mark.parametrize("how", ["all at once", "page by page"])
def test_here(board, how):
    assert board.name

@pytest.mark.board("spark-core", timing="real")
def test_elsewhere(board):
    assert board.name

@pytest.mark.long
@pytest.mark.board("spark-core")
def test_at_night(board):
    assert board.name
"""
#: What is required: a case by its id, one by its title, one that is not run here, one that is gone.
REQUIRED = """# what a release must have passed
test_mine.py::test_here[all-at-once]
mine: here [page by page]
mine: elsewhere
    a line that is set in is a remark, as `rig run --list` has them
mine: before it was renamed
3 tests
"""
LOST = [
    "mine: elsewhere: missing timing=real",
    "mine: before it was renamed: was left out by the choice of tests, or there is no such case",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on one quick Core of which more is required than it has."""
    folder = tmp_path_factory.mktemp("coverage")
    (folder / "test_mine.py").write_text(MINE)
    (folder / "required.txt").write_text(REQUIRED)
    up = Up("--cores", "1", "--time-scale", "0.1")
    rack = ("--rack", part("places", "virtual.yaml"), "--coordinator", up.coordinator)
    words = ("--require", folder / "required.txt", "--report", folder / "r", "-n", "1")
    done = rig_run(folder / "test_mine.py", *rack, *words)
    up.end()
    shown = rebuild_report(folder / "r").to_dict()
    return SimpleNamespace(status=done.returncode, said=done.stdout, report=folder / "r", shown=shown)


@pytest.mark.long
def test_a_good_run_that_lost_coverage_has_status_3(run):
    assert (run.status, run.shown["verdict"], run.shown["counts"]) == (
        3,
        "coverage lost",
        {"not run here": 1, "passed": 2},
    )


@pytest.mark.long
def test_every_lost_case_is_named(run):
    assert run.shown["lost"] == LOST
    assert all(f"  {line}" in run.said for line in LOST)


@pytest.mark.long
def test_a_case_that_was_not_run_has_its_missing_tag(run):
    (case,) = run.shown["coverage"]["not_run"]
    assert (case["case"], case["missing"]) == ("mine: elsewhere", "timing=real")
    assert "1 not run: missing timing=real" in run.said


TOLD = "2 of 4 cases were run (quick selection: 3 of 4 cases; --long for all)"


@pytest.mark.long
def test_the_terminal_says_that_it_is_the_quick_selection(run):
    assert "3 tests are to be run (quick selection: 3 of 4 cases; --long for all)" in run.said
    assert f"Coverage: {TOLD}" in run.said


@pytest.mark.long
def test_the_log_has_the_cases_for_a_report_that_is_rebuilt(run):
    lines = map(json.loads, (run.report / "results.jsonl").read_text().splitlines())
    (collected,) = (line for line in lines if line["kind"] == "collected")
    assert collected["cases"]["there_are"] == 4
    assert list(collected["cases"]["chosen"].values())[-1] == "mine: here [page by page]"


@pytest.mark.long
def test_every_page_says_it(run):
    summary = (run.report / "summary.md").read_text()
    assert "| mine: elsewhere | timing=real |" in summary
    assert f"## Coverage\n\n{TOLD.replace('-', '')}" in summary.replace("\\", "").replace("--", "")
    properties = {each.get("name"): each.get("value") for each in ET.parse(run.report / "junit.xml").iter("property")}
    assert (properties["rig.coverage"], "LOST" in properties["rig.required"]) == (TOLD, True)
    assert "quick selection: 3 of 4" in (run.report / "allure-results" / "environment.properties").read_text()


# -- what counts -------------------------------------------------------------------------------------------------------

CASES = Cases({"a.py::x": "a: x", "a.py::y": "a: y"}, there_are=4, long_left_out=2)
#: Results, and how many of two cases were run.
COUNTED = {
    "both passed": ([a_test("a: x"), a_test("a: y")], 2),
    "a device fault says something of the firmware": ([a_test("a: x", "device fault")], 1),
    "a lab fault says nothing of it": ([a_test("a: x", "lab fault")], 0),
    "misuse says nothing of it": ([a_test("a: x", "misuse")], 0),
    "not run here": ([a_test("a: x", "not run here")], 0),
    "run on the second board": ([a_test("a: x", "lab fault"), a_test("a: x")], 1),
    "run on two boards": ([a_test("a: x", "device fault"), a_test("a: x")], 1),
    "gone on the second board": ([a_test("a: x", "device fault"), a_test("a: x", "not run here")], 1),
    "something else in the run": ([a_test("rack")], 0),
    "nothing": ([], 0),
}


@pytest.mark.parametrize("case", COUNTED)
def test_a_case_was_run_where_it_says_something_of_the_firmware(case):
    results, count = COUNTED[case]
    coverage = Coverage.of(CASES, results)
    assert (coverage.count, len(coverage.not_run)) == (count, 2 - count)


SELECTIONS = {
    "all 2 cases": Cases({"x": "x", "y": "y"}, 2),
    "quick selection: 2 of 5 cases; --long for all": Cases({"x": "x", "y": "y"}, 5, 3),
    "1 of 5 cases; --long for those that take their time, too": Cases({"x": "x"}, 5, 3),
    "1 of 5 cases": Cases({"x": "x"}, 5),
}


@pytest.mark.parametrize("told", SELECTIONS)
def test_a_selection_names_itself(told):
    assert str(SELECTIONS[told]) == told


#: What is required of a run of one of two chosen cases of four, and whether that is lost.
SHARES = {"all": True, "100%": True, "25.1%": True, "25%": False, "0.5%": False, "0%": False}


@pytest.mark.parametrize("text", SHARES)
def test_a_share_is_of_all_cases_there_are(text):
    lost = Required.read(text).lost(Coverage.of(CASES, [a_test("a: x")]))
    assert bool(lost) is SHARES[text]
    assert not lost or lost[1:] == ["2 cases were left out by the choice of tests", "a: y: it did not come to its end"]


def test_nothing_of_no_case_is_lost_all_the_same():
    assert Required.read("all").lost(Coverage.of(Cases(), ())) == ["0 of 0 cases were run"]


def test_what_was_required_by_name_and_run_is_not_lost(tmp_path):
    (tmp_path / "some.txt").write_text("a.py::x\n")
    required = Required.read(str(tmp_path / "some.txt"))
    assert required.lost(Coverage.of(CASES, [a_test("a: x")])) == []
    missing = a_test("a: x", "not run here")
    missing.properties[MISSING] = "mode=wired"
    assert required.lost(Coverage.of(CASES, [missing])) == ["a.py::x: missing mode=wired"]


WRONG = {"101%": "more than there is", "no.txt": "no such file", "EMPTY": "names no case", "NOISE": "no text"}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_requirement_is_told(tmp_path, text):
    (tmp_path / "EMPTY").write_text("# nothing\n\n")
    (tmp_path / "NOISE").write_bytes(bytes(range(256)))
    with pytest.raises(Misuse, match=WRONG[text]):
        Required.read(text if text.endswith("%") else str(tmp_path / text))


#: What a run came to without it, and with lost coverage.
VERDICTS = {
    RunVerdict("passed", 0): 3,
    RunVerdict("nothing was run", 2): 3,
    RunVerdict("device fault", 1): 1,
    RunVerdict("misuse", 2): 2,
    RunVerdict("lab fault", 3): 3,
}


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.word)
def test_lost_coverage_hides_no_fault(verdict):
    assert judge_coverage(verdict, is_lost=True).status == VERDICTS[verdict]
    assert judge_coverage(verdict, is_lost=False) == verdict
