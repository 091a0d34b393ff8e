"""The stale active record (reference §4.2): it still points at the broken slot that the running image updates again.

The bootloader fell back without touching otadata, so every start believes the record before anybody has chosen it.
"""

from __future__ import annotations

import pytest

from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.campaign.trial import HttpsUpdate
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.formats.idf_client import REWRITES_IN_PLACE
from rig.families.esp32.formats.otadata import SECTOR
from rig.power.trigger import Aim
from tests.boards.esp32.laid_records import with_a_stale_record
from tests.boards.esp32.test_https import update

pytestmark = [
    pytest.mark.long,
    pytest.mark.board("esp32", boot="wired", bridge="always", timing="real"),
]


def test_after_a_cut_in_the_download_every_start_tries_the_half_written_slot_first(bench, cut, image, as_expected):
    preset = with_a_stale_record(image("previous"))
    aim = Aim("download", share=0.6, delay_ms=300)
    verdict = cut(HttpsUpdate.to(image("new"), aim, bench.roles, preset), lands="download")
    as_expected(verdict)
    for _start in ("first", "next"):
        bench.board.start()
        bench.board.must.be_alive(bench.board.timing.start)
        tried, loaded, _ = bench.board.log.said().partition(b"Loaded app from partition")
        assert loaded, "it does not say what it loaded"
        assert b"OTA app partition slot 1 is not bootable" in tried
        assert bench.board.log.version() == bench.golden.version


def test_a_cut_before_the_choice_of_an_image_that_never_confirms(bench, cut, image, as_expected):
    target = image("never_confirms")
    preset = with_a_stale_record(image("previous"))
    trial = HttpsUpdate.to(target, Aim("download"), bench.roles, preset).at_the_end()
    verdict = cut(trial, lands="end")
    as_expected(verdict, wanted="old", case="a stale record, end")
    bench.board.start()
    again = bench.outcome_unattended(bench.board.timing.start, new=target)
    as_expected.of("https", "a stale record, the start after that", again, wanted="old")
    bench.board.enter_readback_mode()
    where = trial.table.otadata.offset
    for number, record in preset.records.items():
        at = where + number * SECTOR
        assert bench.board.read_flash([(at, len(record))])[at] == record


def test_an_update_of_the_stale_slot_that_is_given_up(bench, image, as_expected):
    """Before 6.0 the choice gives the other record the number of the stale one: it goes, and the stale one is left."""
    board, known = bench.board, behaviour_of(bench.golden)
    if known is None or known.idf_release.does(REWRITES_IN_PLACE):
        pytest.skip("how this firmware chooses a slot once more is not known, or it does so in place")
    with_a_stale_record(image("previous")).write(board, golden_set(bench.roles).table)
    update(board, image("never_confirms"))
    for _start in ("given up", "unwatched"):
        board.start()
        became = bench.outcome_unattended(board.timing.start, new=image("never_confirms"))
        as_expected.of("https", "a stale record, an image given up", became, wanted="old")
