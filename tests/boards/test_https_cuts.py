"""Power cuts in every window of an update over HTTPS, rollback on: table 4.2 of the reference, by the names there."""

from __future__ import annotations

import pytest
from laid_records import with_a_rollback_record, with_a_used_record
from long_cases import some_always

from rig.boards.golden import golden_set
from rig.campaign.esp32_trial import HttpsUpdate, Restart
from rig.formats.otadata import SECTOR, Record
from rig.power.trigger import Aim

#: Where the cut is aimed at, the phase it lands in, and the image that runs then.
WINDOWS = {
    "1 while the slot is written": (Aim("download", share=0.6, delay_ms=300), "download", "old"),
    "8 chosen, before the restart": (Aim("chosen", delay_ms=300), "chosen", "new"),
    "9 first boot, its record erased": (Aim("new-boot", delay_ms=20), "first-boot", "old"),
    "10 on probation": (Aim("new-app", delay_ms=500), "probation", "old"),
    "11 confirming, its record erased": (Aim("new-online", delay_ms=20), "confirm", "old"),
    "12 confirmed": (Aim("new-confirmed", delay_ms=100), "confirmed", "new"),
}
ALWAYS = ("1 while the slot is written", "9 first boot, its record erased")
ON_A_REAL_BOARD = pytest.mark.board("esp32", boot="wired", bridge="always", timing="real")


@pytest.mark.parametrize("window", some_always(WINDOWS, *ALWAYS))
@ON_A_REAL_BOARD
def test_a_cut_in_this_window_leaves_what_the_table_says(bench, cut, image, known_defect, window):
    aim, phase, becomes = WINDOWS[window]
    verdict = cut(HttpsUpdate.to(image("new"), aim, bench.roles), lands=phase)
    assert (verdict.outcome.name, verdict.outcome.rung) == (becomes, "self")
    if phase in ("first-boot", "confirm"):
        known_defect(f"cut-in-{phase}-loses-the-update")


#: How long after the begin the supply goes, and the phase that lands in.
FORGETTING = {"in its erase": (25, "forget"), "after it": (300, "download")}


@pytest.mark.long
@pytest.mark.parametrize("case", FORGETTING)
@ON_A_REAL_BOARD
def test_2_an_update_that_begins_forgets_the_rollback_record_and_a_cut_leaves_the_old_image(bench, cut, image, case):
    delay, phase = FORGETTING[case]
    lies = with_a_rollback_record(image("previous"))
    trial = HttpsUpdate.to(image("new"), Aim("begin", delay_ms=delay), bench.roles, lies)
    verdict = cut(trial, lands=phase)
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
    left = verdict.left[trial.table.otadata.offset]
    assert left.startswith(lies.records[0])
    assert not Record.unpack(left[SECTOR:]).usable


@pytest.mark.long
@ON_A_REAL_BOARD
def test_3_and_4_a_cut_when_all_is_written_and_nothing_chosen_leaves_the_old_image(bench, cut, image):
    """Row 4's verification only reads: what a cut leaves there is what it leaves here."""
    verdict = cut(HttpsUpdate.to(image("new"), Aim("download"), bench.roles).at_the_end(), lands="end")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")


@pytest.mark.long
@ON_A_REAL_BOARD
def test_5_a_cut_while_the_new_slot_is_chosen_leaves_the_old_image(bench, cut, image):
    trial = HttpsUpdate.to(image("new"), Aim("begin"), bench.roles, with_a_used_record())
    verdict = cut(trial.while_choosing(bench.board), lands="choose")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")


@pytest.mark.long
@ON_A_REAL_BOARD
def test_13_a_cut_while_probation_is_given_up_leaves_the_old_image_and_no_trace(bench, cut, image):
    trial = Restart(image("never_confirms"), Aim("boot", delay_ms=20), golden_set(bench.roles).table)
    verdict = cut(trial, lands="abort")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
