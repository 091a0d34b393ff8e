"""Updates that an ESP32 fetches over HTTPS: three in a row, confirmed or not, rolled back when it crashes."""

from __future__ import annotations

import pytest

from tests.boards.long_cases import some_always


def start_and_see_it_run(board, image):
    """Start the board, and see that it comes to run the image."""
    board.start()
    board.must.run(image, board.timing.update)


def update(board, image):
    """Offer an image to the next start, not to one that goes on, and see that the image comes to run."""
    board.power_off()
    with board.updates.offered(image):
        start_and_see_it_run(board, image)


@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_update_runs_and_confirms_itself(bench, image):
    board = bench.board
    update(board, image("new"))
    board.must.say(rb"App is valid", board.timing.joins)
    board.start()
    board.must.be_alive(board.timing.start)
    assert board.log.version() == image("new").version, "it stays after another start"


@pytest.mark.long
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_three_updates_in_a_row(bench, image):
    for role in ("new", "previous", "new"):
        update(bench.board, image(role))
        bench.board.must.say(rb"App is valid", bench.board.timing.joins)


#: Images that never say that they are well: what a suite calls them, and what makes a board give each up.
GIVEN_UP = {
    "never_confirms": ("an image that never confirms", "a start"),
    "crashing": ("an image that crashes at once", "itself"),
    "hanging": ("an image that hangs after a second", "a start"),
}


@pytest.mark.parametrize("role", some_always(GIVEN_UP, "crashing"))
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_image_that_does_not_confirm_itself(bench, image, as_expected, role):
    case, given_up_by = GIVEN_UP[role]
    update(bench.board, image(role))
    if given_up_by == "a start":
        bench.board.start()
    became = bench.outcome_unattended(bench.board.timing.self_healing, new=image(role))
    as_expected.of("https", case, became, wanted="old")


@pytest.mark.long
@pytest.mark.firmware("plain")
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_image_that_crashes_where_nothing_rolls_back(bench, image, as_expected):
    update(bench.board, image("crashing"))
    became = bench.outcome_unattended(bench.board.timing.self_healing, new=image("crashing"))
    as_expected.of("https", "an image that crashes at once", became, wanted="old")
