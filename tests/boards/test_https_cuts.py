"""Power cuts in every window of an update over HTTPS, rollback on: table 4.2 of the reference, by the names there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from long_cases import some_always

from rig.campaign.esp32_trial import HttpsUpdate, Restart
from rig.power.trigger import Aim
from rig.recovery.esp32_rescue import golden_set

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


@pytest.mark.parametrize("window", some_always(WINDOWS, *ALWAYS))
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="real")
def test_a_cut_in_this_window_leaves_what_the_table_says(bench, cut, image, known_defect, window):
    aim, phase, becomes = WINDOWS[window]
    verdict = cut(HttpsUpdate.to(image("new"), aim, bench.roles), lands=phase)
    assert (verdict.outcome.name, verdict.outcome.rung) == (becomes, "self")
    if phase in ("first-boot", "confirm"):
        known_defect(f"cut-in-{phase}-loses-the-update")


@pytest.mark.long
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="real")
def test_13_a_cut_while_probation_is_given_up_leaves_the_old_image_and_no_trace(bench, cut, image):
    trial = Restart(image("never_confirms"), Aim("boot", delay_ms=20), golden_set(bench.roles).table)
    verdict = cut(trial, lands="abort")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")


@pytest.mark.long
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="real")
def test_5_a_cut_while_the_new_slot_is_chosen_leaves_the_old_image(bench, cut, image):
    """Nothing is said just before: the delay is calibrated by an update that nobody cuts."""
    to_new = HttpsUpdate.to(image("new"), Aim("begin"), bench.roles)
    takes = to_new.lasts(bench.board, "begin", "chosen")
    verdict = cut(replace(to_new, aim=Aim("begin", delay_ms=1000 * takes - 25)), lands="choose")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
