"""MODE held too long by a late hand: a factory reset never passes for DFU, and DFU never for a factory reset (§3.1)."""

from __future__ import annotations

from contextlib import suppress

import pytest

from rig.campaign.bench import Bench
from rig.campaign.until_landed import CutUntilLanded
from rig.errors import LabFault
from rig.evidence.ledger import Ledger, read_ledger
from rig.evidence.timeline import Timeline
from rig.families.spark_core.campaign.dfu_trial import DfuTrial
from rig.families.spark_core.drivers.usb_port import DFU
from rig.power.cut import Fired
from rig.power.trigger import Aim
from rig.recovery.ladder import restore_known_state
from tests.rig.families.spark_core.boards.checks_held import comes_into_dfu, hold_is_refused
from tests.rig.families.spark_core.boards.core_place import CorePlace
from tests.rig.families.spark_core.twin.models import CATALOGUE, ROLES

#: Generation, seconds by which each hold is too long, and by which the answer to letting go comes late.
UNSPOILED = {
    "in time": ("b", [5.4], 0.0),
    "c is not let go before its supply is gone": ("c", [2.1, 7.4], 0.0),
    "c four times, and then in time": ("c", [4.0] * 4, 0.0),
    "a hand in time whose answer is late": ("c", [], 3.0),
    "the same at b": ("b", [], 9.0),
}
#: The same, where nobody knows what was done.
SPOILED = {"b for ten seconds": ("b", [6.1]), "c until its wait is over": ("c", [8.1])}


@pytest.mark.parametrize("case", UNSPOILED)
def test_a_late_hand_spoils_nothing_where_the_board_has_done_nothing(case):
    generation, late, answers = UNSPOILED[case]
    comes_into_dfu(CorePlace(generation, late, answers=answers))


@pytest.mark.parametrize("case", SPOILED)
def test_what_may_have_been_a_factory_reset_is_the_labs_fault(case):
    hold_is_refused(CorePlace(*SPOILED[case]))


def test_a_hand_that_is_always_late_is_no_device_fault():
    with pytest.raises(LabFault, match="MODE was held too long 5 times"):
        CorePlace("c", [4.0] * 5).board.enter_dfu()


def test_a_known_state_is_reached_by_way_of_a_factory_reset():
    place = CorePlace("b", [6.1])
    restore_known_state(place.board, ROLES)
    assert place.identity() == DFU
    assert place.application(CATALOGUE) == ROLES["old"].name


def test_a_cut_whose_evidence_the_rig_spoiled_is_made_anew(tmp_path):
    place = CorePlace("b", [0.0, 6.1])  # a hand for the known state, and one for the landing
    with Ledger(tmp_path / "ledger" / "main.jsonl") as ledger:
        bench = Bench(place.board, ROLES, ledger, Timeline(), run_id="r")
        bench._cut = lambda trial, _lead_ms: cut_half_way(trial, place)
        verdict = CutUntilLanded(bench, lambda _name, _value: None)(DfuTrial(ROLES["new"], AIM), lands="program")
    assert (verdict.landing.phase, verdict.outcome.name) == ("program", "previous")
    assert [line["kind"] for line in read_ledger(ledger.path)] == ["intent", "intent", "cut"]


AIM = Aim("program")


def cut_half_way(trial, place):
    with suppress(LabFault):
        trial.start(place.board, lambda progress: place.off() if AIM.matches(progress) else None)
    return Fired(0, 0, 0, "a relay")
