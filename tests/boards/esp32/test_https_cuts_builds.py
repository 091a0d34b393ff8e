"""Power cuts in an update over HTTPS of other builds: ESP-IDF before 5.5, and rollback off. Table 4.2, by its names.

Rows 9, 11 and 13 are of writes that a build without rollback does not make: test_otadata.py.
"""

from __future__ import annotations

import pytest

from rig.families.esp32.campaign.trial import HttpsUpdate
from rig.families.esp32.formats.otadata import SECTOR, State
from rig.power.trigger import Aim
from tests.boards.esp32.laid_records import with_a_rollback_record, with_a_used_record

pytestmark = [
    pytest.mark.long,
    pytest.mark.board("esp32", boot="wired", bridge="always", timing="real"),
]
EARLY, PLAIN = "before 5.5", "no rollback"
#: Each build's variant, and the state its records are in.
BUILDS = {EARLY: ("early", State.VALID), PLAIN: ("plain", State.UNDEFINED)}
#: The build, where the cut is aimed at, and the phase it lands in.
WINDOWS = {
    "before 5.5: 1 while the slot is written": (EARLY, Aim("download", share=0.6, delay_ms=300), "download"),
    "before 5.5: 8 chosen, before the restart": (EARLY, Aim("chosen", delay_ms=300), "chosen"),
    "no rollback: 1 while the slot is written": (PLAIN, Aim("download", share=0.6, delay_ms=300), "download"),
    "no rollback: 8 chosen, before the restart": (PLAIN, Aim("chosen", delay_ms=300), "chosen"),
    "no rollback: 10 it runs, and is in no network yet": (PLAIN, Aim("new-app", delay_ms=500), "chosen"),
    "no rollback: 12 in the network, where others confirm": (PLAIN, Aim("new-online", delay_ms=500), "chosen"),
}


def of_build(build):
    return pytest.mark.firmware(BUILDS[build][0])


@pytest.mark.parametrize("window", [pytest.param(name, marks=of_build(build)) for name, (build, *_) in WINDOWS.items()])
def test_a_cut_in_this_window(bench, cut, image, as_expected, window):
    _, aim, phase = WINDOWS[window]
    as_expected(cut(HttpsUpdate.to(image("new"), aim, bench.roles), lands=phase))


@pytest.mark.parametrize("build", [pytest.param(build, marks=of_build(build)) for build in BUILDS])
def test_2_an_update_that_begins_forgets_no_rollback_record(bench, cut, image, as_expected, build):
    """The same aim, at which ESP-IDF from 5.5 on erases it, lands in the slot's first sector."""
    preset = with_a_rollback_record(image("previous"), BUILDS[build][1])
    trial = HttpsUpdate.to(image("new"), Aim("begin", delay_ms=25), bench.roles, preset)
    verdict = cut(trial, lands="download")
    as_expected(verdict)
    assert verdict.left[trial.table.otadata.offset][SECTOR:].startswith(preset.records[1]), "the other record changed"


@pytest.mark.parametrize("build", [pytest.param(build, marks=of_build(build)) for build in BUILDS])
def test_3_and_4_a_cut_when_all_is_written_and_nothing_chosen(bench, cut, image, as_expected, build):
    """Row 4's verification only reads: what a cut leaves there is what it leaves here."""
    trial = HttpsUpdate.to(image("new"), Aim("download"), bench.roles, with_a_used_record(BUILDS[build][1]))
    as_expected(cut(trial.at_the_end(), lands="end"))


@pytest.mark.firmware("plain")
def test_5_a_cut_while_the_new_slot_is_chosen(bench, cut, image, as_expected):
    trial = HttpsUpdate.to(image("new"), Aim("begin"), bench.roles, with_a_used_record(State.UNDEFINED))
    as_expected(cut(trial.while_choosing(bench.board), lands="choose"))
