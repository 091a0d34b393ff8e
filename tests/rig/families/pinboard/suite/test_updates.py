"""Updates of a pinboard: one that arrives, one that crashes, and cuts on the way."""

from __future__ import annotations

import pytest
from pinboard.boards import START_SECONDS
from pinboard.campaign import TcpUpdate
from pinboard.formats import TCP

from rig.power.trigger import Aim

#: Where a cut is aimed at, and the phase that it lands in.
CUTS = {
    "while it is downloaded": (Aim("download", 0.5, 25), "download"),
    "while it is copied": (Aim("copy", 0.5, 45), "copy"),
}


@pytest.mark.board("pinboard", button="wired")
def test_an_update_arrives(bench, image):
    board = bench.board
    board.start()
    board.must.be_alive(board.start_seconds)
    board.update(image("new"))
    board.must.satisfy("the new version runs", lambda: board.version() == image("new").version, board.start_seconds)


@pytest.mark.board("pinboard", button="wired")
def test_an_image_that_crashes(bench, image, as_expected):
    board = bench.board
    board.start()
    board.must.be_alive(board.start_seconds)
    board.update(image("crashing"))
    became = bench.outcome_unattended(10 * START_SECONDS * board.scale)
    as_expected.of(TCP, "an image that crashes", became, wanted="old")


@pytest.mark.board("pinboard", button="wired", timing="real")
@pytest.mark.parametrize("name", CUTS)
def test_a_cut_in_an_update(cut, image, as_expected, name):
    aim, lands = CUTS[name]
    as_expected(cut(TcpUpdate(image("new"), aim), lands=lands))


@pytest.mark.board("pinboard", button="wired")
def test_without_power_nothing_is_said(bench):
    bench.board.power_off()
    assert bench.board.observe(0.5) is None, "it speaks without power"
    bench.board.power_on()
    bench.board.must.be_alive(bench.board.start_seconds)
