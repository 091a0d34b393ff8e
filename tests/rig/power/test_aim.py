"""Aims at a window that is shorter than what a busy machine takes: learned from each cut, and bounded."""

from __future__ import annotations

import pytest

from rig.families.spark_core.campaign.dfu_trial import KeySectorWrite
from rig.firmware.manifest import Image
from rig.power.trigger import Aim
from tests.rig.families.spark_core.boards.core_place import CorePlace
from tests.rig.power import checks_aim

LEARNED = [checks_aim.what_a_relay_took_is_reckoned_with, checks_aim.cuts_that_the_rig_was_late_with_are_no_tries]


@pytest.mark.parametrize("check", LEARNED, ids=lambda check: check.__name__)
def test_it_holds(tmp_path, check):
    check(tmp_path)


#: What the n-th command takes, what nobody sees of it, in ms; and after how many cuts nobody tries any more.
NEVER = {
    "an aim that is wrong": (lambda _n: 0.0, 60.0, 5),
    "a machine that is never even": (lambda n: 30.0 + n % 2 * 60.0, 0.0, 20),
}


@pytest.mark.parametrize("case", NEVER)
def test_what_never_lands_has_an_end(case):
    took, unseen, cuts = NEVER[case]
    assert checks_aim.landed(took, unseen) == ("outside", cuts)


def test_a_sector_that_a_cut_left_blank_shows_the_next_cut_again():
    """Else all cuts after the first are told to have come before anything was erased."""
    place = CorePlace("b")
    trial = KeySectorWrite(Image("keys", "spark-core", "2", bytes(4096), "ok"), Aim("erase"))
    address, length = trial.landing_stretches[0]
    place.board.enter_dfu()
    with place.board.dfu() as host:
        host.erase(address)
    trial.prepare(place.board)
    assert place.board.read_flash(trial.landing_stretches[:1])[address] != b"\xff" * length
