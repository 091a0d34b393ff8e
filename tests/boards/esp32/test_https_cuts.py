"""Power cuts in every window of an update over HTTPS, rollback on: table 4.2 of the reference, by the names there."""

from __future__ import annotations

import pytest

from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.campaign.trial import HttpsUpdate, Restart
from rig.families.esp32.formats.otadata import SECTOR, Record
from rig.power.trigger import Aim
from tests.boards.esp32.laid_records import with_a_rollback_record, with_a_used_record
from tests.boards.long_cases import some_always

#: Where the cut is aimed at, and the phase it lands in.
WINDOWS = {
    "1 while the slot is written": (Aim("download", share=0.6, delay_ms=300), "download"),
    "8 chosen, before the restart": (Aim("chosen", delay_ms=300), "chosen"),
    "9 first boot, its record erased": (Aim("new-boot", delay_ms=20), "first-boot"),
    "10 on probation": (Aim("new-app", delay_ms=500), "probation"),
    "11 confirming, its record erased": (Aim("new-online", delay_ms=20), "confirm"),
    "12 confirmed": (Aim("new-confirmed", delay_ms=100), "confirmed"),
}
ALWAYS = ("1 while the slot is written", "9 first boot, its record erased")
ON_A_REAL_BOARD = pytest.mark.board("esp32", boot="wired", bridge="always", timing="real")


@pytest.mark.parametrize("window", some_always(WINDOWS, *ALWAYS))
@ON_A_REAL_BOARD
def test_a_cut_in_this_window(bench, cut, image, as_expected, window):
    aim, phase = WINDOWS[window]
    as_expected(cut(HttpsUpdate.to(image("new"), aim, bench.roles), lands=phase))


#: How long after the begin the supply goes, and the phase that lands in.
FORGETTING = {"in its erase": (25, "forget"), "after it": (300, "download")}


@pytest.mark.long
@pytest.mark.parametrize("case", FORGETTING)
@ON_A_REAL_BOARD
def test_2_an_update_that_begins_forgets_the_rollback_record(bench, cut, image, as_expected, case):
    delay, phase = FORGETTING[case]
    preset = with_a_rollback_record(image("previous"))
    trial = HttpsUpdate.to(image("new"), Aim("begin", delay_ms=delay), bench.roles, preset)
    verdict = cut(trial, lands=phase)
    as_expected(verdict)
    left = verdict.left[trial.table.otadata.offset]
    assert left.startswith(preset.records[0]), "the record it runs by is not as it was"
    assert not Record.unpack(left[SECTOR:]).usable, "the record that was cut counts"


@pytest.mark.long
@ON_A_REAL_BOARD
def test_3_and_4_a_cut_when_all_is_written_and_nothing_chosen(bench, cut, image, as_expected):
    """Row 4's verification only reads: what a cut leaves there is what it leaves here."""
    as_expected(cut(HttpsUpdate.to(image("new"), Aim("download"), bench.roles).at_the_end(), lands="end"))


@pytest.mark.long
@ON_A_REAL_BOARD
def test_5_a_cut_while_the_new_slot_is_chosen(bench, cut, image, as_expected):
    trial = HttpsUpdate.to(image("new"), Aim("begin"), bench.roles, with_a_used_record())
    as_expected(cut(trial.while_choosing(bench.board), lands="choose"))


@pytest.mark.long
@ON_A_REAL_BOARD
def test_13_a_cut_while_probation_is_given_up(bench, cut, image, as_expected):
    trial = Restart(image("never_confirms"), Aim("boot", delay_ms=20), golden_set(bench.roles).table)
    as_expected(cut(trial, lands="abort"), wanted="old")
