"""Updates by each client that ESP32s of the field have: piece by piece, resumed, Arduino's, Deploy the Fleet's."""

from __future__ import annotations

import pytest

from tests.boards.esp32.test_https import start_and_see_it_run

pytestmark = pytest.mark.long
ON_A_BOARD = pytest.mark.board("esp32", boot="wired", bridge="always")


@ON_A_BOARD
@pytest.mark.firmware("partial")
def test_an_image_comes_piece_by_piece(bench, image):
    board = bench.board
    before = board.updates.last_request()
    with board.updates.offered(image("new")):
        start_and_see_it_run(board, image("new"))
    asked = [request["range"] for request in board.updates.requests(before) if request["method"] == "GET"]
    assert asked[:2] == ["bytes=0-16383", "bytes=16384-32767"]


@ON_A_BOARD
@pytest.mark.firmware("resuming")
def test_a_download_goes_on_where_the_supply_went(bench, image):
    board = bench.board
    with board.updates.offered(image("new")):
        board.updates.fault("stall", at=40960, lasts=60)
        board.start()
        board.must.say(rb"Starting OTA", board.timing.joins)
        board.clock.sleep(board.timing.joins)
        board.power_off()  # what it asks until then is none of the next start's
        before = board.updates.last_request()
        start_and_see_it_run(board, image("new"))
    ranges = [request["range"] for request in board.updates.requests(before) if request["range"]]
    assert ranges, "it asked for the rest only"
    assert 0 < int(ranges[0].removeprefix("bytes=").rstrip("-")) <= 40960


@ON_A_BOARD
@pytest.mark.firmware("arduino")
def test_arduino_updates_itself_and_says_who_it_is(bench, image):
    board = bench.board
    before = board.updates.last_request()
    with board.updates.offered(image("new")):
        start_and_see_it_run(board, image("new"))
    assert {check["protocol"] for check in board.updates.check_ins(before)} == {"v1"}


#: Deploy the Fleet's library, its variant, and the product it asks for.
FLEETS = {"1.0.7": ("fleet-1.0.7", "{mac}"), "2.0.2": ("fleet-2.0.2", "lamp")}


@pytest.mark.parametrize(
    "library", [pytest.param(name, marks=pytest.mark.firmware(variant)) for name, (variant, _) in FLEETS.items()]
)
@ON_A_BOARD
def test_a_fleet_checks_in_updates_and_is_told_that_it_is_up_to_date(bench, image, library):
    board = bench.board
    _, product = FLEETS[library]
    board.updates.release(product.format(mac=board.updates.mac), image("new"))
    before = board.updates.last_request()
    start_and_see_it_run(board, image("new"))
    board.start()
    board.must.be_alive(board.timing.start)
    board.clock.sleep(board.timing.joins)
    statuses = [check["status"] for check in board.updates.check_ins(before)]
    assert statuses[0] == 200
    assert statuses[-1] == 304


@pytest.mark.firmware("fleet-1.0.7")
@ON_A_BOARD
def test_a_fleet_turns_to_its_other_host_when_the_first_answers_with_errors(bench, image):
    board = bench.board
    board.updates.release(board.updates.mac, image("new"))
    board.updates.fault("status", at=500, host="ota.rig.test")
    before = board.updates.last_request()
    start_and_see_it_run(board, image("new"))
    asked = [(entry["host"], entry["bundle"], entry["status"]) for entry in board.updates.check_ins(before)][:2]
    assert asked == [("ota.rig.test", None, 500), ("ota9.rig.test", "1", 200)], "a pin that nobody has came between"
