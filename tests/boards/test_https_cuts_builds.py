"""Power cuts in an update over HTTPS of other builds: ESP-IDF before 5.5, and rollback off. Table 4.2, by its names.

Rows 9, 11 and 13 are of writes that a build without rollback does not make: test_otadata.py.
"""

from __future__ import annotations

import pytest
from laid_records import with_a_rollback_record, with_a_used_record

from rig.campaign.esp32_trial import HttpsUpdate
from rig.formats.otadata import SECTOR, State
from rig.power.trigger import Aim

pytestmark = [
    pytest.mark.long,
    pytest.mark.board("esp32", boot="wired", bridge="always", timing="real"),
]
EARLY, PLAIN = "before 5.5", "no rollback"
#: Each build's cast, and the state its records are in.
BUILDS = {EARLY: ("early", State.VALID), PLAIN: ("plain", State.UNDEFINED)}
#: The build, where the cut is aimed at, the phase it lands in, and the image that runs then.
WINDOWS = {
    "before 5.5: 1 while the slot is written": (EARLY, Aim("download", share=0.6, delay_ms=300), "download", "old"),
    "before 5.5: 8 chosen, before the restart": (EARLY, Aim("chosen", delay_ms=300), "chosen", "new"),
    "no rollback: 1 while the slot is written": (PLAIN, Aim("download", share=0.6, delay_ms=300), "download", "old"),
    "no rollback: 8 chosen, before the restart": (PLAIN, Aim("chosen", delay_ms=300), "chosen", "new"),
    "no rollback: 10 it runs, and is in no network yet": (PLAIN, Aim("new-app", delay_ms=500), "chosen", "new"),
    "no rollback: 12 in the network, where others confirm": (PLAIN, Aim("new-online", delay_ms=500), "chosen", "new"),
}


def of_build(build):
    return pytest.mark.firmware(BUILDS[build][0])


@pytest.mark.parametrize("window", [pytest.param(name, marks=of_build(build)) for name, (build, *_) in WINDOWS.items()])
def test_a_cut_in_this_window_leaves_what_the_table_says(bench, cut, image, window):
    _, aim, phase, becomes = WINDOWS[window]
    verdict = cut(HttpsUpdate.to(image("new"), aim, bench.roles), lands=phase)
    assert (verdict.outcome.name, verdict.outcome.rung) == (becomes, "self")


@pytest.mark.parametrize("build", [pytest.param(build, marks=of_build(build)) for build in BUILDS])
def test_2_an_update_that_begins_forgets_no_rollback_record(bench, cut, image, build):
    """The same aim, at which ESP-IDF from 5.5 on erases it, lands in the slot's first sector."""
    lies = with_a_rollback_record(image("previous"), BUILDS[build][1])
    trial = HttpsUpdate.to(image("new"), Aim("begin", delay_ms=25), bench.roles, lies)
    verdict = cut(trial, lands="download")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
    assert verdict.left[trial.table.otadata.offset][SECTOR:].startswith(lies.records[1])


@pytest.mark.parametrize("build", [pytest.param(build, marks=of_build(build)) for build in BUILDS])
def test_3_and_4_a_cut_when_all_is_written_and_nothing_chosen_leaves_the_old_image(bench, cut, image, build):
    """Row 4's verification only reads: what a cut leaves there is what it leaves here."""
    trial = HttpsUpdate.to(image("new"), Aim("download"), bench.roles, with_a_used_record(BUILDS[build][1]))
    verdict = cut(trial.at_the_end(), lands="end")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")


@pytest.mark.firmware("plain")
def test_5_a_cut_while_the_new_slot_is_chosen_leaves_the_old_image(bench, cut, image):
    trial = HttpsUpdate.to(image("new"), Aim("begin"), bench.roles, with_a_used_record(State.UNDEFINED))
    verdict = cut(trial.while_choosing(bench.board), lands="choose")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
