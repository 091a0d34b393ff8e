"""A rack for the suites has every board that their cases ask for, and none that the chosen ones do not."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.lab.asked import boards_asked_for
from rig.lab.checkout import ROOT, part
from rig.lab.core_slot import CoreSlot
from rig.lab.esp32_slot import Esp32Slot
from rig.lab.rack import RackPlan

SUITES = [str(part("tests", "boards")), "--rootdir", str(ROOT), "-c", str(part("pyproject.toml")), "-o", "addopts="]


@pytest.mark.parametrize(("words", "every_case"), [((), False), (("--long",), True)], ids=["ordinary", "long"])
def test_every_case_finds_a_board(words, every_case):
    places = [
        {**slot.abilities, "board": slot.kind} for slot in RackPlan.for_suites(8, None, every_case=every_case).slots
    ]
    cases = boards_asked_for([*SUITES, *words])
    assert len(cases) > (400 if every_case else 40)
    for kind, wanted in cases:
        assert any({"board": kind, **wanted}.items() <= place.items() for place in places), (kind, wanted)


SLOW, QUICK, ESP32 = CoreSlot(1.0), CoreSlot(0.1), Esp32Slot(0.1)
CORE = ("spark-core", {"generation": "b"})
ASKED = {
    "one case": ([CORE], [SLOW]),
    "a board of its own for each case": ([CORE, CORE], [SLOW, QUICK]),
    "more cases than boards": ([CORE] * 9, [SLOW, QUICK, QUICK]),
    "by its tags": ([("spark-core", {"timing": "scaled"})], [QUICK]),
    "another kind": ([("esp32", {}), CORE], [SLOW, ESP32]),
    "what nobody has": ([("esp32", {"timing": "real"})], []),
    "no board at all": ([], []),
}


@pytest.mark.parametrize("case", ASKED)
def test_a_rack_has_the_boards_that_are_asked_for(case):
    wanted, slots = ASKED[case]
    assert RackPlan([SLOW, QUICK, QUICK, ESP32]).asked_for(wanted).slots == slots


def test_what_a_choice_of_tests_asks_for_is_known_before_a_rack_is_started():
    assert boards_asked_for([*SUITES, "-k", "erasing"]) == [("spark-core", {"mode": "wired", "generation": "b"})]
    assert boards_asked_for([*SUITES, "-k", "erasing and ("]) is None
    with pytest.raises(Misuse, match="no test"):
        boards_asked_for([*SUITES, "-k", "nothing_is_called_so"])
