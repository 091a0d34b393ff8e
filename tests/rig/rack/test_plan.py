"""A rack for the suites has every board that their cases ask for, and none that the chosen ones do not."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.families.esp32.lab.rack_slot import Esp32Slot
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.firmware.checkout import ROOT, part
from rig.rack.plan import RackPlan
from rig.suites.selection import choose

SUITES = [str(part("tests", "boards")), "--rootdir", str(ROOT), "-c", str(part("pyproject.toml")), "-o", "addopts="]


@pytest.mark.parametrize(("words", "every_case"), [((), False), (("--rig-long",), True)], ids=["ordinary", "long"])
def test_every_case_finds_a_board(words, every_case):
    places = [
        {**slot.abilities, "board": slot.kind} for slot in RackPlan.for_suites(8, None, every_case=every_case).slots
    ]
    cases = [test.wanted for test in choose([*SUITES, *words])]
    assert len(cases) > (400 if every_case else 40)
    for kind, wanted in cases:
        assert any({"board": kind, **wanted}.items() <= place.items() for place in places), (kind, wanted)


SLOW, QUICK, ESP32 = CoreSlot(1.0), CoreSlot(0.1), Esp32Slot(0.1)
CORE = ("spark-core", {"generation": "b"})
ASKED = {
    "one case": ([CORE], [SLOW]),
    "a board of its own for each case": ([CORE, CORE], [SLOW, QUICK]),
    "more cases than boards": ([CORE] * 9, [SLOW, QUICK, QUICK]),
    "those that ask for most take first": (
        [("spark-core", {}), ("spark-core", {"timing": "scaled"}), ("spark-core", {"timing": "scaled"})],
        [SLOW, QUICK, QUICK],
    ),
    "by its tags": ([("spark-core", {"timing": "scaled"})], [QUICK]),
    "another kind": ([("esp32", {}), CORE], [SLOW, ESP32]),
    "what nobody has": ([("esp32", {"timing": "real"})], []),
    "no board at all": ([], []),
}


@pytest.mark.parametrize("case", ASKED)
def test_a_rack_has_the_boards_that_are_asked_for(case):
    wanted, slots = ASKED[case]
    assert RackPlan([SLOW, QUICK, QUICK, ESP32]).asked_for(wanted, at_once=9).slots == slots


def test_no_test_has_more_boards_than_can_work_at_once():
    cases = [("spark-core", {}), ("spark-core", {"timing": "scaled"}), CORE, ("esp32", {})]
    assert RackPlan([SLOW, QUICK, QUICK, ESP32]).asked_for(cases, at_once=1).slots == [QUICK, ESP32]


def test_a_slow_board_is_counted_for_those_alone_who_ask_for_one():
    cases = [("spark-core", {"timing": "real"}), CORE]
    assert RackPlan([QUICK, QUICK, SLOW]).asked_for(cases, at_once=1).slots == [QUICK, SLOW]


def test_what_a_choice_of_tests_asks_for_is_known_before_a_rack_is_started():
    (test,) = choose([*SUITES, "-k", "erasing"])
    assert test.wanted == ("spark-core", {"mode": "wired", "generation": "b"})
    assert test.title == "power cuts: a cut in the application area [while erasing, all pages first-b]"


NOT_CHOSEN = {
    "no expression": (["-k", "erasing and ("], "Wrong expression passed to '-k'"),
    "nothing of this name": (["-k", "nothing_is_called_so"], "no test"),
    "no option": (["--nonsense"], "unrecognized arguments: --nonsense"),
    "no board of this kind": (["--rig-board", "toaster"], "no kind of board is called 'toaster'"),
}


@pytest.mark.parametrize("case", NOT_CHOSEN)
def test_a_choice_that_is_none_is_told_in_pytest_s_own_words(case):
    words, reason = NOT_CHOSEN[case]
    with pytest.raises(Misuse, match=reason):
        choose([*SUITES, *words])
