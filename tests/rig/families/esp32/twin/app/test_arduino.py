"""Arduino's HTTPUpdate on an ESP32: its request, what it makes of an answer, and the order it writes in.

Facts from arduino-esp32's Updater.cpp and HTTPUpdate.cpp.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.rig.families.esp32.twin.app import checks_ota as checks_esp_ota
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, arduino, built, checked, world_of
from tests.rig.families.esp32.twin.app.app_server import Answer, Asked, answer, chunked, serving
from tests.rig.families.esp32.twin.app.updates import T_OFFSET

IMAGE = built(NEW)


MD5 = hashlib.md5(IMAGE).hexdigest()
#: An answer, what the check comes to, what the console says, and whether flash was worked on.
ARDUINO: dict[str, tuple[Callable[[Asked], Answer], str, str, bool]] = {
    "200": (serving(IMAGE), "installed", "HTTP_UPDATE_OK", True),
    "200 with its MD5": (lambda _: answer(200, IMAGE, x_MD5=MD5), "installed", "HTTP_UPDATE_OK", True),
    "200 with another MD5": (lambda _: answer(200, IMAGE, x_MD5="0" * 32), "failed", "MD5 Check Failed", True),
    "200 with half an MD5": (lambda _: answer(200, IMAGE, x_MD5="0" * 16), "failed", "Error (-105)", False),
    "304": (lambda _: answer(304), "no-update", "HTTP_UPDATE_NO_UPDATES", False),
    "403": (lambda _: answer(403), "failed", "Error (-103): Forbidden (403)", False),
    "404": (lambda _: answer(404), "failed", "Error (-102): File Not Found (404)", False),
    "500": (lambda _: answer(500), "failed", "Error (-104): Wrong HTTP Code", False),
    "301": (lambda _: answer(301, Location="/other"), "failed", "Error (-104): Wrong HTTP Code", False),
    "an empty 200": (lambda _: answer(200), "failed", "Error (-101): Server Did Not Report Size", False),
    "chunks": (lambda _: chunked(IMAGE), "failed", "Error (-101)", False),
    "larger than a slot": (
        lambda _: answer(200, IMAGE, Content_Length="1740801"), "failed", "Error (-100): Not Enough space", False,
    ),
    "a wrong first byte": (serving(b"\x7f" + IMAGE[1:]), "failed", "Error (-106): Verify Bin Header Failed", False),
    "the body comes late": (
        lambda _: Answer(answer(200, Content_Length=str(len(IMAGE))).data, hangs_up=False, later=IMAGE),
        "failed", "Error (-106)", False,
    ),
    "a short body": (
        lambda _: answer(200, IMAGE[:50_000], Content_Length=str(len(IMAGE))), "failed", "Stream Read Timeout", True,
    ),
    "a broken image": (serving(IMAGE[:-1] + b"\0"), "failed", "Could Not Activate The Firmware", True),
    "no HTTP/1": (lambda _: Answer(b"HTTP/2 200 OK\r\n\r\n"), "failed", "Error (-7)", False),
    "nothing": (lambda _: Answer(b""), "failed", "Error (-5): HTTP error: connection lost", False),
    "an encoding": (lambda _: answer(200, IMAGE, Transfer_Encoding="gzip"), "failed", "Error (-9)", False),
    "silence": (lambda _: Answer(b"", hangs_up=False), "failed", "Error (-11): HTTP error: read Timeout", False),
}  # fmt: skip


@pytest.mark.parametrize("case", ARDUINO)
def test_httpupdate_makes_of_an_answer_what_a_device_does(case):
    answers, expected, said, works = ARDUINO[case]
    world = world_of(arduino(), answers)
    assert checked(world) == expected
    assert said in world.console
    assert bool(world.work) == works
    assert (world.records[1].seq == 2 and world.in_slot(1, len(IMAGE)) == IMAGE) == (expected == "installed")


def test_httpupdate_s_request_is_the_check_in():
    world = world_of(arduino())
    checked(world)
    asked = world.asked[0]
    assert (asked.method, asked.version, asked.headers["user-agent"]) == ("GET", "HTTP/1.0", "ESP32-http-Update")
    told = {name: value for name, value in asked.headers.items() if name.startswith("x-esp32-")}
    assert told == {
        "x-esp32-sta-mac": "24:0A:C4:00:00:01",
        "x-esp32-ap-mac": "24:0A:C4:00:00:02",
        "x-esp32-free-space": "1740800",
        "x-esp32-sketch-size": str(len(built(OLD))),
        "x-esp32-sketch-md5": hashlib.md5(built(OLD)).hexdigest(),
        "x-esp32-sketch-sha256": built(OLD)[-32:].hex().upper(),
        "x-esp32-chip-size": "4194304",
        "x-esp32-sdk-version": "v5.5",
        "x-esp32-mode": "sketch",
        "x-esp32-version": "1.0.0",
    }


def test_updater_writes_the_first_16_bytes_last(tmp_path):
    checks_esp_ota.updater_writes_the_first_bytes_last(tmp_path)


def test_updater_erases_blocks_and_then_the_sectors_that_are_left(tmp_path):
    checks_esp_ota.updater_erases_blocks_and_then_sectors(tmp_path)


@pytest.mark.parametrize("k", [0, 1, 5, 60, 120])
def test_what_updater_did_not_finish_has_no_magic_byte(k):
    """Rows 1 and 3 of the cut table: the slot fails at its first byte."""
    world = world_of(arduino(rollback=True))
    world.power_on()
    world.memory.journal.fuse = (k, None)
    world.run(60, until="power-off")
    assert world.in_slot(1, 1) == b"\xff"
    assert world.boot() == "ota_0"


def test_updater_leaves_blank_stretches_out():
    blank = IMAGE[:40_000] + b"\xff" * 50_000 + IMAGE[90_000:]
    world = world_of(arduino(), serving(blank))
    checked(world)
    begin, end = T_OFFSET + 40_960, T_OFFSET + 86_016
    assert not [one for one in world.work if one[0] == "program" and begin <= one[1] < end]
    assert world.in_slot(1, len(blank))[16:] == blank[16:]
