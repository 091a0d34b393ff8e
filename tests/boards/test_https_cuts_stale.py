"""The stale active record (reference §4.2): it still points at the broken slot that the running image updates again.

The bootloader fell back without touching otadata, so every start believes the record before anybody has chosen it.
"""

from __future__ import annotations

import pytest
from laid_records import with_a_stale_record
from test_https import update

from rig.boards.golden import golden_set
from rig.campaign.esp32_trial import HttpsUpdate
from rig.formats.esp_idf_client import REWRITES_IN_PLACE
from rig.formats.otadata import SECTOR
from rig.power.trigger import Aim

pytestmark = [
    pytest.mark.long,
    pytest.mark.board("esp32", boot="wired", bridge="always", timing="real"),
]


def test_after_a_cut_in_the_download_every_start_tries_the_half_written_slot_first(bench, cut, image):
    lies = with_a_stale_record(image("previous"))
    aim = Aim("download", share=0.6, delay_ms=300)
    verdict = cut(HttpsUpdate.to(image("new"), aim, bench.roles, lies), lands="download")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
    for _start in ("first", "next"):
        bench.board.start()
        assert bench.board.is_alive(bench.board.timing.start)
        tried, loaded, _ = bench.board.log.said().partition(b"Loaded app from partition")
        assert loaded
        assert b"OTA app partition slot 1 is not bootable" in tried
        assert bench.board.log.version() == bench.golden.version


def test_after_a_cut_before_the_choice_an_image_runs_that_nobody_chose_and_nobody_watches(
    bench, cut, image, known_defect
):
    target = image("never_confirms")
    lies = with_a_stale_record(image("previous"))
    trial = HttpsUpdate.to(target, Aim("download"), bench.roles, lies).at_the_end()
    verdict = cut(trial, lands="end")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("new", "self")
    bench.board.start()
    assert bench.board.is_alive(bench.board.timing.start)
    assert bench.board.log.version() == target.version, "the next start does not give it up"
    bench.board.enter_reader()
    where = trial.table.otadata.offset
    for number, record in lies.records.items():
        at = where + number * SECTOR
        assert bench.board.read_flash([(at, len(record))])[at] == record
    known_defect("stale-record-starts-an-image-that-nobody-chose")


def test_an_update_of_the_stale_slot_that_is_given_up_leads_to_it_again(bench, image, known_defect):
    """Before 6.0 the choice gives the other record the number of the stale one: it goes, and the stale one is left."""
    board, known = bench.board, bench.golden.esp32
    if known is None or known.idf_release.does(REWRITES_IN_PLACE):
        pytest.skip("how this firmware chooses a slot once more is not known, or it does so in place")
    with_a_stale_record(image("previous")).lay(board, golden_set(bench.roles).table)
    update(board, image("never_confirms"))
    for _start in ("given up", "unwatched"):
        board.start()
        assert board.is_alive(board.timing.start)
        assert board.log.version() == image("never_confirms").version
    known_defect("stale-record-brings-back-an-image-that-was-given-up")
