"""Checks of expectations, comparisons and baselines; planted faults must fail them. As checks.py."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from rig.errors import DeviceFault, Misuse
from rig.evidence import compared
from rig.evidence.ledger import Ledger, read_ledger
from rig.evidence.results import TestResult
from rig.firmware import baseline, cases
from rig.firmware.baseline import Observation, write_baseline
from rig.firmware.expectations import Expectations, Situation
from rig.firmware.outcomes import Became, compare
from rig.suites.expectations import known_cases
from rig.suites.expecting import AsExpected, Recording

ERASE = Situation("spark-core", "dfu", "erase", "b")
STRANDED, PREVIOUS, DEAD = Became("stranded", "reflash"), Became("previous", "wait"), Became("dead", "none")
ENTRY = """
[[expect]]
board = "spark-core"
path = "dfu"
case = "erase"
outcome = "stranded"
rung = "reflash"
"""
DEFECT = """
[[defect]]
name = "erase-strands"
title = "A cut while it erases strands it"
text = "Nothing is left to start."
severity = "critical"
reference = "https://tickets.example/17"
"""
MINE = f"""{ENTRY}defect = "erase-strands"

[[expect]]
board = "spark-core"
path = "dfu"
case = ["erase", "program"]
outcome = "previous"
{DEFECT}"""


def load(tmp_path: Path, text: str) -> Expectations:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return Expectations.load(path)


class OneTest:
    """A test of a Core: what it compares, what it has noted, and its lines in the ledger."""

    def __init__(self, tmp_path, kind=AsExpected):
        self.noted: dict[str, str] = {}
        self._segment = tmp_path / "main.jsonl"
        board = SimpleNamespace(kind="spark-core", name="core-01", tags={"generation": "b"})
        bench = SimpleNamespace(board=board, ledger=Ledger(self._segment))
        self.as_expected = kind(
            bench,
            "default",
            load(tmp_path, MINE),
            {"run": "1"},
            self.noted.__setitem__,
        )

    def compare(self, case, *outcomes):
        for became in outcomes:
            self.as_expected.of("dfu", case, became)

    def lines(self):
        return [(line["word"], line["defect"]) for line in read_ledger(self._segment)]


def fault_of(test, case, became) -> str:
    try:
        test.compare(case, became)
    except DeviceFault as fault:
        return str(fault)
    return ""


def told_of(tmp_path: Path, text: str) -> str:
    """How a file is refused; empty where it is taken. One variant is named: plain."""
    try:
        cases.refuse_unknown(load(tmp_path, text), known_cases(), lambda _board: ["plain"])
    except Misuse as refusal:
        return str(refusal)
    return ""


def surviving_where_2014_strands_is_better(_folder):
    assert compare(STRANDED, PREVIOUS) == "better"
    assert compare(Became("stranded"), Became("previous")) == "better", "whatever it took"
    assert compare(PREVIOUS, STRANDED) == "worse"


def the_first_entry_counts(tmp_path):
    assert load(tmp_path, MINE).expected(ERASE).became == STRANDED


def an_entry_that_nothing_can_fit_is_refused(tmp_path):
    assert told_of(tmp_path, ENTRY) == ""
    for field, wrong, told in (
        ("case", ENTRY.replace('"erase"', '"eraze"'), "there is no case 'eraze' of dfu (hint: did you mean 'erase'?"),
        ("path", ENTRY.replace('"dfu"', '"dffu"'), "there is no path 'dffu' of spark-core (hint: did you mean 'dfu'?"),
        (
            "generation",
            ENTRY + 'generation = "d"\n',
            "there is no generation 'd' of spark-core (hint: there are 'a2013', ",
        ),
    ):
        assert f"mine.toml: expect.0.{field}: {told}" in told_of(tmp_path, wrong), field


def an_entry_of_a_variant_that_there_is_not_is_refused(tmp_path):
    assert told_of(tmp_path, ENTRY + 'variant = ["default", "plain"]\n') == ""
    told = told_of(tmp_path, ENTRY + 'variant = "plane"\n')
    assert "mine.toml: expect.0.variant: there is no variant 'plane' of spark-core (hint: did you mean 'plain'" in told


def a_baseline_says_which_cases_are_of_ones_own_tests(tmp_path):
    path, lid = tmp_path / "baseline.toml", replace(ERASE, case="the lid is open")
    write_baseline(path, [Observation(ERASE, STRANDED), Observation(lid, PREVIOUS, own=True)], {}, "a run")
    assert [line for line in path.read_text().splitlines() if line.startswith("own")] == ["own = true"]
    assert told_of(tmp_path, path.read_text()) == ""


def what_is_worse_is_a_device_fault_that_says_what_was_expected(tmp_path):
    test = OneTest(tmp_path)
    told = fault_of(test, "erase", DEAD)
    assert "became dead (none), which is worse than stranded (reflash), as mine.toml expects" in told
    assert test.lines() == [("worse", None)]


def what_is_better_is_no_fault_and_no_known_defect(tmp_path):
    test = OneTest(tmp_path)
    assert fault_of(test, "erase", PREVIOUS) == ""
    assert (test.noted["compared"], test.noted["expected"]) == ("better", "stranded (reflash)")
    assert "known_defect" not in test.noted


def a_known_defect_is_noted_with_all_that_is_known(tmp_path):
    test = OneTest(tmp_path)
    test.compare("erase", STRANDED)
    told = {name: value for name, value in test.noted.items() if name.startswith("known_defect")}
    assert told == {
        "known_defect": "erase-strands",
        "known_defect_title": "A cut while it erases strands it",
        "known_defect_text": "Nothing is left to start.",
        "known_defect_severity": "critical",
        "known_defect_reference": "https://tickets.example/17",
    }


def what_nobody_expects_is_unlisted(tmp_path):
    test = OneTest(tmp_path)
    assert fault_of(test, "commit", STRANDED) == ""
    assert test.noted["compared"] == "unlisted"


def a_better_outcome_is_not_hidden_by_one_that_is_the_same(tmp_path):
    test = OneTest(tmp_path)
    test.compare("erase", PREVIOUS, STRANDED)
    assert test.noted["compared"] == "better"
    assert test.lines() == [("better", None), ("same", "erase-strands")]


def a_recording_finds_no_fault(tmp_path):
    test = OneTest(tmp_path, Recording)
    assert fault_of(test, "erase", DEAD) == ""
    assert test.lines() == [("recorded", None)]


def a_baseline_is_not_overwritten_unless_that_is_wanted(tmp_path):
    path = tmp_path / "baseline.toml"
    path.write_text("# mine\n")
    with contextlib.suppress(Misuse):
        write_baseline(path, [Observation(ERASE, STRANDED)], {}, "a run")
    assert path.read_text() == "# mine\n"
    write_baseline(path, [Observation(ERASE, STRANDED)], {}, "a run", replace=True)
    assert Expectations.load(path).expected(ERASE).became == STRANDED


def a_baseline_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "baseline.toml"
    path.write_text("# mine\n")
    (tmp_path / "baseline.toml.new").mkdir()
    with contextlib.suppress(Misuse):
        write_baseline(path, [Observation(ERASE, STRANDED)], {}, "a run", replace=True)
    assert path.read_text() == "# mine\n"


def of_two_outcomes_the_worse_one_is_the_baseline(tmp_path):
    path = tmp_path / "baseline.toml"
    seen = [Observation(ERASE, PREVIOUS), Observation(ERASE, STRANDED), Observation(ERASE, PREVIOUS)]
    assert baseline.write_baseline(path, seen, {}, "a run") == 1
    assert Expectations.load(path).expected(ERASE).became == STRANDED


def a_baseline_knows_the_defects_that_it_saw(tmp_path):
    path = tmp_path / "baseline.toml"
    seen = [Observation(ERASE, STRANDED, defect="erase-strands")]
    write_baseline(path, seen, load(tmp_path, MINE).defects, "a run")
    known = Expectations.load(path)
    assert known.defects == load(tmp_path, MINE).defects
    assert known.expected(ERASE).defect == "erase-strands"


def another_outcome_than_expected_is_told_aloud(_folder):
    told = {word: TestResult(word, "passed", 1.0, "", {"compared": word, "expected": "old"}) for word in compared.WORDS}
    assert {each.name for each in compared.unexpected_results(told.values())} == {"better", "moved", "unlisted"}
    assert compared.beside_expected(told["better"]) == "better than expected: old"
    assert compared.beside_expected(told["same"]) == ""
