"""What an ESP32 makes of a server that misbehaves, and of images that are none: the reference's §6.1 and §2.3."""

from __future__ import annotations

import pytest

from rig.families.esp32.firmware.details import behaviour_of
from rig.firmware.outcomes import Became
from tests.boards.long_cases import some_always

#: What the server does, and what the board's console says to it. The old image goes on.
REFUSED = {
    "forbidden": ("status", {"at": 403}, rb"File not found\(403\)"),
    "not found": ("status", {"at": 404}, rb"File not found\(404\)"),
    "unauthorised, again and again": ("status", {"at": 401, "times": 0}, rb"ESP_ERR_NOT_SUPPORTED|max_auth"),
    "a server error": ("status", {"at": 500}, rb"Server error \(500\)"),
    "an empty answer": ("empty", {}, rb"Complete headers were not received"),
    "it hangs up half-way": ("close", {"at": 32768}, rb"data read -1, errno"),
    "it resets half-way": ("reset", {"at": 32768}, rb"upgrade failed"),
    "less than it promised": ("wrong-length", {"at": 100_000}, rb"data read -1, errno"),
    "it leaves without a goodbye half-way": ("fin", {"at": 32768}, rb"data read -1, errno"),
    "noise from the first byte on": ("random", {"at": 0}, rb"upgrade failed"),
    "noise in the middle": ("random", {"at": 40960}, rb"upgrade failed"),
    "a challenge that nobody knows": ("unauthorized", {"times": 0}, rb"Authorization Failed|max_authorization_retries"),
    "a redirect to nowhere": (
        "redirect",
        {"at": 302, "to": "/nowhere.bin"},
        rb"File not found\(404\)|can only redirect to https",  # from ESP-IDF 5.5.5 on
    ),
}
#: What it does, and the update goes well all the same.
TAKEN = {
    "in chunks": ("chunked", {}),
    "without a length": ("no-length-fin", {}),
    "slowly": ("slow", {"at": 60_000}),
    "behind a redirect": ("redirect", {"at": 307}),
}


@pytest.mark.parametrize("case", some_always(REFUSED, "it hangs up half-way"))
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_the_old_image_goes_on_when_the_server_does_this(bench, image, case):
    kind, how, says = REFUSED[case]
    board = bench.board
    with board.updates.offered(image("new")):
        board.updates.fault(kind, **how)
        board.start()
        board.must.say(says, board.timing.update)
    board.start()
    board.must.be_alive(board.timing.start)
    assert board.log.version() == bench.golden.version


def address_of(bench):
    """Where the board looks for updates, whole: newer releases follow nothing that is relative."""
    known = behaviour_of(bench.golden)
    asked = known.url if known is not None else None
    return asked.replace("{mac}", bench.board.updates.mac) if asked else bench.board.updates.path


@pytest.mark.parametrize("case", some_always(TAKEN, "behind a redirect"))
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_update_comes_through_all_the_same(bench, image, case):
    kind, how = TAKEN[case]
    board = bench.board
    with board.updates.offered(image("new")):
        board.updates.fault(kind, **({"to": address_of(bench)} if kind == "redirect" else {}), **how)
        board.start()
        board.must.run(image("new"), board.timing.update)


@pytest.mark.long
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_a_server_that_stalls_in_the_middle_of_an_image(bench, image, as_expected):
    board = bench.board
    with board.updates.offered(image("new")), board.updates.watched(lambda _progress: None) as seen:
        board.updates.fault("stall", at=32768, lasts=300)
        board.start()
        board.must.say(rb"Starting OTA", board.timing.joins)
        gives_up = board.log.wait_for(rb"upgrade failed|upgrade successful", 30.0)
        ended = [event for event in seen if event["event"] in ("finished", "aborted")]
        assert gives_up or not ended, "else it still holds the line"
    if not gives_up:
        board.start()
    became = Became(bench.outcome_unattended(board.timing.start).name, "self" if gives_up else "power-cycle")
    as_expected.of("https", "a server that stalls", became, wanted="old")


def damaged(data, name):
    """An image as somebody should refuse it; what is done to it holds for anybody's firmware."""
    ways = {
        "cut off in its header": data[:180],
        "cut off later": data[:64_000],
        "one byte flipped": data[:0x200] + bytes([data[0x200] ^ 0x10]) + data[0x201:],
        "for another chip": data[:12] + b"\x05\x00" + data[14:],
        "for a later revision": data[:15] + b"\xff\xff" + data[17:],
        "no image at all": b"\x7f" + data[1:],
        "larger than its slot": data.ljust(0x1A9000 + 1, b"\xff"),
    }
    return ways[name]


#: What is offered, and what the console says to it.
NO_IMAGES = {
    "cut off in its header": rb"Complete headers were not received",
    "cut off later": rb"Image validation failed",
    "one byte flipped": rb"Image validation failed",
    "for another chip": rb"(?i)mismatch chip id",
    "for a later revision": rb"upgrade failed",
    "no image at all": rb"upgrade failed",
    "larger than its slot": rb"upgrade failed",
}


@pytest.mark.parametrize("case", some_always(NO_IMAGES, "one byte flipped"))
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_what_is_no_image_for_this_board_is_refused_and_the_old_one_goes_on(bench, image, case):
    board = bench.board
    board.updates.offer(damaged(image("new").data, case))
    try:
        board.start()
        board.must.say(NO_IMAGES[case], board.timing.update)
    finally:
        board.updates.withdraw()
    board.start()
    board.must.be_alive(board.timing.start)
    assert board.log.version() == bench.golden.version
