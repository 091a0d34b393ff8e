"""Updates that an ESP32 fetches over HTTPS: three in a row, confirmed or not, rolled back when it crashes."""

from __future__ import annotations

import pytest
from long_cases import some_always

from rig.clock import look_for


def comes_to_run(board, image):
    """Start the board; whether it comes to run the image."""
    board.start()
    return look_for(lambda: board.log.version() == image.version, seconds=board.timing.update, clock=board.clock)


def update(board, image):
    """Offer an image, start the board, and see that the image comes to run."""
    with board.updates.offered(image):
        assert comes_to_run(board, image)


@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_update_runs_and_confirms_itself(bench, image):
    board = bench.board
    update(board, image("new"))
    assert board.log.wait_for(rb"App is valid", board.timing.joins)
    board.start()
    assert board.is_alive(board.timing.start)
    assert board.log.version() == image("new").version, "it stays after another start"


@pytest.mark.long
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_three_updates_in_a_row(bench, image):
    for role in ("new", "previous", "new"):
        update(bench.board, image(role))
        assert bench.board.log.wait_for(rb"App is valid", bench.board.timing.joins)


#: Images that never say that they are well, and what makes the board give each up.
GIVEN_UP = {"never_confirms": "a start", "crashing": "itself", "hanging": "a start"}


@pytest.mark.parametrize("role", some_always(GIVEN_UP, "crashing"))
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_image_that_does_not_confirm_itself_is_rolled_back(bench, image, role):
    board = bench.board
    update(board, image(role))
    if GIVEN_UP[role] == "a start":
        board.start()
    assert look_for(
        lambda: board.log.version() == bench.golden.version, seconds=board.timing.self_healing, clock=board.clock
    )


@pytest.mark.long
@pytest.mark.firmware("plain")
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_without_rollback_a_crashing_image_crashes_for_ever(bench, image, known_defect):
    board = bench.board
    update(board, image("crashing"))
    board.clock.sleep(board.timing.self_healing)
    assert board.log.said().count(b"Guru Meditation") > 2
    assert board.log.version() == image("crashing").version
    known_defect("crashing-image-loops-without-rollback")
