"""The cases that something may be expected of: those of the suites and of landings are all known, and no others."""

from __future__ import annotations

import ast

import pytest

from rig.families.esp32.power.landing import SETTLED, STEPS
from rig.families.spark_core.firmware.deep_updates import load_deep_updates
from rig.firmware.cases import known_beside
from rig.firmware.checkout import part
from rig.power.landing import OUTSIDE
from rig.suites.expectations import known_cases
from tests.rig.firmware.test_expectations import OURS

CORE, ESP32 = known_cases()["spark-core"].by_path, known_cases()["esp32"].by_path


def named_in(suite) -> list[tuple[str | None, str]]:
    """Path and case of each comparison in which a suite writes its case out; None where the trial tells the path."""
    calls = [node for node in ast.walk(ast.parse(suite.read_text())) if isinstance(node, ast.Call)]
    told = [(None, word.value) for call in calls for word in call.keywords if word.arg == "case"]
    told += [call.args[:2] for call in calls if getattr(call.func, "attr", "") == "of" and len(call.args) > 2]
    pairs = [(path and path.value, case.value) for path, case in told if isinstance(case, ast.Constant)]
    return [(path, case) for path, case in pairs if isinstance(case, str)]


@pytest.mark.parametrize("suite", sorted(part("tests", "boards").rglob("test_*.py")), ids=lambda path: path.stem)
def test_every_case_that_a_suite_writes_out_is_known(suite):
    for path, case in named_in(suite):
        cases = [known for of in (CORE, ESP32) for where, known in of.items() if path in (None, where)]
        assert any(case in known for known in cases), f"{path}: {case}"


def test_something_is_expected_of_every_case_that_suites_name_and_of_phases_that_they_aim_at():
    expected = {(entry.path, case) for entry in OURS.entries for case in entry.case}
    known = {(path, case) for of in (CORE, ESP32) for path, cases in of.items() for case in cases}
    assert {case for _, case in known - expected if " " in case} == set(), "a name of some suite's"
    assert expected <= known


def test_the_phases_of_landings_are_known():
    assert {*STEPS, *SETTLED.values(), OUTSIDE} <= set(ESP32["https"])
    plans = load_deep_updates(part("firmware-fixtures", "deep-updates.toml")).values()
    assert {window.name for plan in plans for window in plan.windows} <= set(CORE["deep-update"])
    assert set(CORE["ota-copy"]) <= set(CORE["cloud"]), "a copy follows"


@pytest.mark.parametrize("board", known_cases())
def test_every_path_has_its_cases_once(board):
    for path, cases in known_cases()[board].by_path.items():
        assert cases, path
        assert len(set(cases)) == len(cases), path


BESIDE = {
    "one that is near": ("eraze", ["erase", "program"], "did you mean 'erase'?"),
    "nothing near, and few": ("zzz", ["erase", "program"], "there are 'erase', 'program'"),
    "nothing near, and many": ("zzz", list(map(str, range(20))), "'11' and 8 more"),
}


@pytest.mark.parametrize("case", BESIDE)
def test_somebody_who_wrote_another_word_is_told_which_there_are(case):
    word, known, told = BESIDE[case]
    assert known_beside(word, known).endswith(told)
