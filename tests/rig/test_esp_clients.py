"""An ESP32's update clients end to end in memory: what they ask, what an answer leads to, what is in flash then.

Over real TLS; facts from reference/esp32.md §4.4, §6.1 and §7.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from esp_app_board import (
    HOST,
    NEW,
    OLD,
    Answer,
    Asked,
    World,
    answer,
    built,
    https,
    issued,
    root_pem,
    serving,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rig.firmware.esp_behaviour import EspBehaviour
from rig.formats import otadata
from rig.formats.otadata import Record, State
from rig.twin.esp32 import boot
from rig.twin.esp32.app import arduino_update, deploy_the_fleet
from rig.twin.esp32.app.application import application
from rig.twin.esp32.app.http import ChunkReader, Head, Malformed, Url
from rig.twin.network import UNREACHABLE

IMAGE = built(NEW)
T_OFFSET = 0x1D0000


def world_of(behaviour: EspBehaviour, answers: Callable[[Asked], Answer] | None = None) -> World:
    """Slot 0 runs by record 1; nothing else was ever installed."""
    world = World(behaviour, answers=answers, new=behaviour.model_copy(update={"checks_at_boot": False}))
    world.record(0, Record.of(1, State.VALID if behaviour.rollback else State.UNDEFINED))
    return world


def checked(world: World, seconds: float = 120) -> str:
    """What the next look for updates comes to."""
    if not world.board.powered:
        world.power_on()
    world.run(seconds, until="checked:")
    return next((name for name in reversed(world.events) if name.startswith("checked:")), "nothing").removeprefix(
        "checked:"
    )


# -- esp_https_ota ---------------------------------------------------------------------------------------------------

#: An answer, what the check comes to, how many requests it takes, and what the console says.
ANSWERS: dict[str, tuple[str, Callable[[Asked], Answer], str, int, str]] = {
    "200": ("5.5", serving(IMAGE), "installed", 1, "upgrade successful. Rebooting"),
    "204": ("5.5", lambda _: answer(204), "failed", 1, "Complete headers were not received"),
    "304 from 5.5 on": ("5.5", lambda _: answer(304), "no-update", 1, "not modified"),
    "304 before 5.5": ("5.4", lambda _: answer(304), "failed", 1, "Complete headers were not received"),
    "401": ("5.5", lambda _: answer(401), "failed", 11, "Reached max_authorization_retries (401)"),
    "403": ("5.5", lambda _: answer(403), "failed", 1, "File not found(403)"),
    "404": ("5.5", lambda _: answer(404), "failed", 1, "File not found(404)"),
    "416": ("5.5", lambda _: answer(416), "failed", 1, "Requested range is incorrect"),
    "418": ("5.5", lambda _: answer(418), "failed", 1, "Client error (418)"),
    "500": ("5.5", lambda _: answer(500), "failed", 1, "Server error (500)"),
    "an empty 200": ("5.5", lambda _: answer(200), "failed", 1, "Complete headers were not received"),
    "no HTTP": ("5.5", lambda _: Answer(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "failed", 1, "Failed to establish HTTP"),
    "nothing": ("5.5", lambda _: Answer(b""), "failed", 1, "Failed to establish HTTP connection"),
    "silence": ("5.5", lambda _: Answer(b"", hangs_up=False), "failed", 1, "timed out before data was ready"),
    "1000 bytes": ("5.5", serving(IMAGE[:1000]), "failed", 1, "Complete headers were not received"),
    "less than was said": (
        "5.5", lambda _: answer(200, IMAGE[:50_000], Content_Length="60000"), "failed", 1,
        "Connection closed before complete data was received!",
    ),
    "more than was said": (
        "5.5", lambda _: answer(200, IMAGE + bytes(500), Content_Length=str(len(IMAGE))), "installed", 1, "successful",
    ),
    "a truncated image": ("5.5", serving(IMAGE[:64_000]), "failed", 1, "New image failed verification"),
    "chunks": ("5.5", lambda _: chunked(IMAGE), "installed", 1, "upgrade successful"),
    "chunks, and the last is missing": (
        "5.5", lambda _: Answer(chunked(IMAGE).data[:-5]), "failed", 1, "Connection closed before complete data",
    ),
    "no length, and a hang-up at the end": (
        "5.5", lambda _: answer(200, IMAGE, Content_Length=""), "installed", 1, "upgrade successful",
    ),
    "a wrong first byte": (
        "5.5", serving(b"\x7f" + IMAGE[1:]), "failed", 1, "invalid magic byte (expected 0xE9, saw 0x7f)",
    ),
    "an image for another chip": ("5.5", serving(IMAGE[:12] + b"\x05" + IMAGE[13:]), "failed", 1, "mismatch chip ID"),
    "an image for later chips": (
        "5.5", serving(built(replace(NEW, min_revision=301))), "failed", 1, "chip revision check failed",
    ),
    "no description": ("5.5", serving(built(replace(NEW, described=False))), "failed", 1, "Incorrect app descriptor"),
    "the version that runs": ("5.5", serving(built(OLD)), "no-update", 1, "the same as a new"),
}  # fmt: skip


def chunked(body: bytes) -> Answer:
    """In chunks of a prime size."""
    pieces = [body[at : at + 7919] for at in range(0, len(body), 7919)]
    framed = b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n")


@pytest.mark.parametrize("case", ANSWERS)
def test_esp_https_ota_makes_of_an_answer_what_a_device_does(case):
    idf, answers, expected, requests, said = ANSWERS[case]
    world = world_of(https(idf=idf), answers)
    assert checked(world) == expected
    assert len(world.asked) == requests
    assert said in world.console
    assert (world.in_slot(1, len(IMAGE)) == IMAGE and world.records[1].seq == 2) == (expected == "installed")


def test_the_request_is_esp_idf_s():
    world = world_of(https())
    checked(world)
    asked = world.asked[0]
    assert (asked.method, asked.path, asked.version) == ("GET", "/image.bin", "HTTP/1.1")
    assert asked.headers == {"user-agent": "ESP32 HTTP Client/1.0", "host": HOST}


def test_an_unusual_port_is_in_the_host_header():
    world = world_of(https(url=f"https://{HOST}:8443/image.bin"))
    checked(world)
    assert world.asked[0].headers["host"] == f"{HOST}:8443"


#: Where one is sent first, and which paths were asked in the end.
REDIRECTS: dict[str, tuple[str, list[str], str]] = {
    "to an absolute address": (f"https://{HOST}/other.bin", ["/image.bin", "/other.bin"], "installed"),
    "to a relative one": ("other.bin", ["/image.bin", "/other.bin"], "installed"),
    "to another host": ("https://two.test/other.bin", ["/image.bin", "/other.bin"], "installed"),
    "to another host that is not trusted": ("https://three.test/other.bin", ["/image.bin"], "failed"),
    "from https to http": (f"http://{HOST}/other.bin", ["/image.bin"], "failed"),
    "nowhere": ("", ["/image.bin"], "failed"),
    "to itself": ("image.bin", ["/image.bin"] * 21, "failed"),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("case", REDIRECTS)
def test_redirects_are_followed_with_the_same_trust(case, status):
    location, paths, expected = REDIRECTS[case]

    def answers(asked: Asked) -> Answer:
        return answer(status, Location=location) if asked.path == "/image.bin" else serving(IMAGE)(asked)

    world = world_of(https(), answers)
    world.hosts |= {"two.test": issued("a", "two.test"), "three.test": issued("b", "three.test")}
    assert checked(world) == expected
    assert [asked.path for asked in world.asked][: len(paths)] == paths
    assert len(world.asked) <= len(paths)


#: Why there is no connection, and what the console says.
UNREACHABLES: dict[str, tuple[Callable[[World], object], str]] = {
    "nobody knows the name": (lambda world: world.hosts.clear(), "couldn't get hostname for :ota.test:"),
    "nobody listens": (lambda world: world.gone.update({HOST: UNREACHABLE}), "Connection refused"),
    "the pin is another": (
        lambda world: world.shelf.update(pin=root_pem("b")), "mbedtls_ssl_handshake returned -0x2700",
    ),
    "the pin is nowhere": (lambda world: world.shelf.clear(), "mbedtls_ssl_handshake returned -0x7680"),
    "the certificate is for another name": (
        lambda world: world.hosts.update({HOST: issued("a", "else.test")}), "Failed to verify peer certificate!",
    ),
    "it speaks no TLS": (lambda world: world.hosts.update({HOST: None}), "mbedtls_ssl_handshake returned -0x"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREACHABLES)
def test_without_a_connection_nothing_is_asked_and_nothing_written(case):
    spoil, said = UNREACHABLES[case]
    world = world_of(https(), lambda _: Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    spoil(world)
    assert checked(world) == "failed"
    assert said in world.console
    assert "Connection failed, sock < 0" in world.console
    assert not [one for one in world.asked if one.method == "GET" and world.hosts.get(HOST)]
    assert not world.work


def test_with_nobody_to_trust_no_connection_is_made():
    world = world_of(https(pins=()))
    assert checked(world) == "failed"
    assert "No option for server verification is enabled" in world.console
    assert "connect" not in world.orders


def test_a_failed_pin_is_seen_by_the_server_and_the_firmware_keeps_running():
    world = world_of(https(checks_every=60))
    world.shelf["pin"] = root_pem("b")
    world.power_on().run(300)
    assert world.board.running == "ota_0"
    assert [peer.error for peer in world.peers] == ["TLSV1_ALERT_UNKNOWN_CA"] * 5
    assert not world.asked


def check_record_after_204(behaviour: EspBehaviour) -> bool:
    world = world_of(behaviour, lambda _: answer(204))
    world.record(0, Record.of(3, State.VALID))
    world.record(1, Record.of(2, State.VALID))
    assert checked(world) == "failed"
    return world.records[1].seq == otadata.BLANK


def test_from_5_5_on_an_empty_answer_costs_the_rollback_record():
    """Row 2's side effect: begin comes before the first byte, unless the application looks at the version first."""
    assert check_record_after_204(https(rollback=True, compares_version=False))
    assert not check_record_after_204(https(rollback=True, compares_version=False, idf="5.4"))
    assert not check_record_after_204(https(rollback=True))


def stalling(count: int, rest: bytes = b"") -> Callable[[Asked], Answer]:
    head = answer(200, Content_Length=str(len(IMAGE))).data
    return lambda _: Answer(head + IMAGE[:count], hangs_up=False, later=rest)


def test_a_stalled_server_is_waited_for_for_ever():
    world = world_of(https(), stalling(50_000, IMAGE[50_000:]))
    assert checked(world, seconds=7 * 24 * 3600) == "nothing"
    world.late()
    assert checked(world) == "installed"


def test_an_application_with_a_deadline_gives_a_stalled_server_up():
    world = world_of(https(deadline=90), stalling(50_000))
    assert checked(world, seconds=110) == "failed"
    assert "update took too long" in world.console


#: Where a server is silent, and what is said of it.
SILENCES: dict[str, tuple[Callable[[World, str], object], str]] = {
    "no answer to a connection": (lambda world, host: world.gone.update({host: None}), "select() timeout"),
    "no answer to a hello": (lambda world, host: world.silent.add(host), "in specified timeout"),
    "no answer to a request": (
        lambda world, _host: setattr(world, "answers", lambda _: Answer(b"", hangs_up=False)), "before data was ready",
    ),
}  # fmt: skip


@pytest.mark.parametrize("time_scale", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("case", SILENCES)
def test_time_outs_are_the_client_s_own_and_nothing_scales_them(case, time_scale):
    """5 s in ESP-IDF, 8 s in Arduino's client, 25 s in Deploy the Fleet's from 2.0 on."""
    silence, said = SILENCES[case]
    for behaviour, host, seconds in (
        (https(), HOST, 5.0),
        (arduino(), HOST, 8.0),
        (fleet("2.0.2").behaviour, "ota2.deploythefleet.com", 25.0),
    ):
        world = World(behaviour, new=behaviour, time_scale=time_scale)
        world.hosts[host] = issued("a", host)
        silence(world, host)
        assert checked(world) == "failed"
        assert world.took() == pytest.approx(seconds, abs=0.01)
        assert said in world.console or behaviour.client == "arduino"


@pytest.mark.parametrize("client", ["https-ota", "arduino"])
@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_whatever_a_server_answers_the_device_goes_on(client, noise, before, ends):
    world = world_of(https() if client == "https-ota" else arduino(), lambda _: Answer(before + noise, hangs_up=ends))
    assert checked(world, 4000) == "failed"
    world.answers = serving(IMAGE)
    assert checked(world, 7200) == "installed"


# -- partial download and resumption ---------------------------------------------------------------------------------


def ranges(world: World) -> list[tuple[str, str | None]]:
    return [(asked.method, asked.headers.get("range")) for asked in world.asked]


def test_a_partial_download_asks_for_the_length_and_then_for_pieces():
    world = world_of(https(partial=65536))
    assert checked(world) == "installed"
    assert ranges(world) == [
        ("HEAD", None),
        ("GET", "bytes=0-65535"),
        ("GET", "bytes=65536-131071"),
        ("GET", "bytes=131072-"),
    ]


def test_without_head_a_range_of_one_byte_tells_the_length():
    world = world_of(
        https(partial=100_000), lambda asked: answer(405) if asked.method == "HEAD" else serving(IMAGE)(asked)
    )
    assert checked(world) == "installed"
    assert ranges(world)[1] == ("GET", "bytes=0-0")
    assert ranges(world)[-1] == ("GET", "bytes=100000-")


def test_an_image_that_is_one_piece_is_asked_for_without_a_range():
    world = world_of(https(partial=1 << 20))
    assert checked(world) == "installed"
    assert ranges(world) == [("HEAD", None), ("GET", None)]


def interrupted(**fields: object) -> World:
    """The supply fails in the middle of a download, and comes back."""
    world = world_of(https(resumption=True, **fields))
    world.power_on()
    world.memory.journal.fuse = (170, None)
    world.run(60, until="power-off")
    world.asked.clear()
    return world


def test_a_download_is_resumed_after_a_cut_where_it_was():
    world = interrupted()
    written = len(world.in_slot(1).rstrip(b"\xff")) // 1024 * 1024
    assert checked(world) == "installed"
    assert len(world.asked) == 1
    first = int(str(world.asked[0].headers["range"]).removeprefix("bytes=").rstrip("-"))
    assert 1024 <= first <= written
    assert written - first <= 1024
    assert world.in_slot(1, len(IMAGE)) == IMAGE


def test_a_server_without_ranges_is_asked_again_from_the_start():
    world = interrupted()
    world.answers = lambda _: answer(200, IMAGE)
    assert checked(world) == "installed"
    assert [wanted is None for _method, wanted in ranges(world)] == [False, True]
    assert "Falling back to OTA without resumption" in world.console


def test_resumption_goes_with_pieces():
    world = interrupted(partial=65536)
    assert checked(world) == "installed"
    assert world.asked[0].method == "HEAD"
    assert ranges(world)[1][1] not in (None, "bytes=0-65535")


def test_a_download_that_was_finished_is_not_resumed():
    world = world_of(https(resumption=True))
    assert checked(world) == "installed"
    world.boot()
    world.asked.clear()
    world.install(0, replace(OLD, seed="other"), https(resumption=True))
    world.run(7200, until="checked:")
    assert ranges(world)[0] == ("GET", "bytes=0-")


@pytest.mark.parametrize("k", [40, 90, 91, 92, 93, 94, 95, 170, 300, 340])
def test_wherever_a_resumed_download_was_cut_it_ends_whole(k):
    world = world_of(https(resumption=True))
    world.power_on()
    world.memory.journal.fuse = (k, None)
    world.run(60, until="power-off")
    assert not world.board.powered
    assert checked(world) == "installed"
    assert world.in_slot(1, len(IMAGE)) == IMAGE


# -- Arduino ---------------------------------------------------------------------------------------------------------


def arduino(**fields: object) -> EspBehaviour:
    known = {"client": "arduino", "url": f"https://{HOST}/image.bin", "pins": ["pin"], "checks_every": 3600}
    return EspBehaviour.model_validate({**known, **fields})


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


def check_first_bytes_last() -> None:
    world = world_of(arduino())
    assert checked(world) == "installed"
    programs = [(address, size) for kind, address, size in world.work if kind == "program" and address >= T_OFFSET]
    assert programs[0][0] == T_OFFSET + 16
    assert programs[-1] == (T_OFFSET, 16)


def test_updater_writes_the_first_16_bytes_last():
    check_first_bytes_last()


def test_updater_erases_blocks_and_then_the_sectors_that_are_left():
    world = world_of(arduino())
    checked(world)
    erased = [(kind, address) for kind, address, _size in world.work if "erase" in kind and address >= T_OFFSET]
    blocks, rest = divmod(len(IMAGE), 0x10000)
    assert erased[:blocks] == [("block-erase", T_OFFSET + at * 0x10000) for at in range(blocks)]
    tail = T_OFFSET + blocks * 0x10000
    assert erased[blocks:] == [("erase", tail + at * 0x1000) for at in range(-(-rest // 0x1000))]


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


# -- Deploy the Fleet ------------------------------------------------------------------------------------------------

FLEET = "ota.fleet.test"
PINS = ("lets-encrypt-x3", "dst-root-ca-x3", "lets-encrypt-r3", "isrg-root-x1", "cloudflare-origin-ca", "dtf-root-x1",
        "bundle")  # fmt: skip


def fleet(library: str, answers: Callable[[Asked], Answer] | None = None, **fields: object) -> World:
    """A device with a release of the library; every pin is a root of its own name."""
    address = {"url": f"https://{FLEET}/p?v=1"} if library.startswith("1.") else {"product": "prod-1"}
    known = {"client": "deploy-the-fleet", "library": library, "checks_every": 3600, **address}
    world = world_of(EspBehaviour.model_validate({**known, **fields}), answers)
    world.hosts = {}
    world.shelf |= {pin: root_pem(pin) for pin in PINS}
    return world


def serves(world: World, **roots: str) -> World:
    """Hosts by their first label, and under which root each is."""
    domain = "deploythefleet.io" if "sdk" in (world.behaviour.library or "") else "deploythefleet.com"
    for label, root in roots.items():
        host = f"{label}.fleet.test" if world.behaviour.url else f"{label}.{domain}"
        world.hosts[host] = issued(root, host)
    return world


TRUST_1: dict[str, tuple[str, ...]] = {
    "1.0.0": ("lets-encrypt-x3",),
    "1.0.1": ("dst-root-ca-x3",),
    "1.0.2": ("lets-encrypt-r3",),
    "1.0.3": ("lets-encrypt-r3",),
    "1.0.4": ("lets-encrypt-r3",),
    "1.0.5": ("isrg-root-x1", "cloudflare-origin-ca"),
    "1.0.6": ("isrg-root-x1", "cloudflare-origin-ca"),
    "1.0.7": ("isrg-root-x1", "cloudflare-origin-ca"),
    "1.0.8": ("isrg-root-x1", "cloudflare-origin-ca"),
}


@pytest.mark.parametrize("library", TRUST_1)
@pytest.mark.parametrize("root", PINS)
def test_each_release_of_1_x_takes_the_servers_of_its_pins_alone(library, root):
    world = serves(fleet(library), ota=root)
    assert checked(world) == ("installed" if root in TRUST_1[library] else "failed")


@pytest.mark.parametrize("library", ["1.0.7", "1.0.8"])
def test_from_1_0_7_on_the_third_attempt_goes_to_another_host_with_a_pin_of_its_own(library):
    world = serves(fleet(library), ota="bundle", ota9="dtf-root-x1")
    assert checked(world) == "installed"
    assert [peer.host for peer in world.peers] == [FLEET, FLEET, "ota9.fleet.test"]
    assert [peer.error for peer in world.peers[:2]] == ["TLSV1_ALERT_UNKNOWN_CA"] * 2


def check_bundle_id(library: str, paths: list[str]) -> None:
    world = serves(fleet(library, lambda _: answer(404)), ota="isrg-root-x1", ota9="dtf-root-x1")
    world.hosts[FLEET] = issued("isrg-root-x1", FLEET)
    assert checked(world) == "failed"
    seen = [asked.path for asked in world.asked]
    world.hosts[FLEET] = issued("cloudflare-origin-ca", FLEET)
    world.run(7200, until="checked:")
    assert [*seen, *(asked.path for asked in world.asked[len(seen) :])] == paths


#: A server that says 404 to everybody, first by the first pin, then by the second.
BUNDLE_IDS: dict[str, list[str]] = {
    "1.0.4": [],
    "1.0.6": ["/p?v=1", "/p?v=1"],
    "1.0.7": ["/p?v=1", "/p?v=1&cb=1", "/p?v=1", "/p?v=1&cb=1"],
    "1.0.8": ["/p?v=1&cb=1"] * 4,
}


@pytest.mark.parametrize("library", BUNDLE_IDS)
def test_1_0_7_tells_its_bundle_at_the_last_attempt_only_and_1_0_8_always(library):
    check_bundle_id(library, BUNDLE_IDS[library])


def test_any_failure_leads_to_the_next_attempt():
    """Not only one of TLS: the chain below is good for both pins of 1.0.6."""
    world = serves(fleet("1.0.6", lambda _: answer(404)), ota="isrg-root-x1")
    world.shelf["cloudflare-origin-ca"] = root_pem("isrg-root-x1")
    checked(world)
    assert len(world.asked) == 2


def test_2_x_asks_its_own_address_and_tells_who_it_is():
    world = serves(fleet("2.0.2"), ota2="bundle")
    assert checked(world) == "installed"
    asked = world.asked[0]
    assert (asked.host, asked.path) == ("ota2.deploythefleet.com", "/update")
    told = {name: value for name, value in asked.headers.items() if name.startswith("x-dtf")}
    assert told == {"x-dtf-did": "240ac4000001", "x-dtf-p": "prod-1", "x-dtf-v": "1.0.0"}


def test_the_sdk_tells_it_in_its_query():
    world = serves(fleet("sdk-1.0.0"), ota="bundle")
    assert checked(world) == "installed"
    assert world.asked[0].path == "/prod-1?v=1.0.0&did=240ac4000001&cb=2"


#: What is wrong with the primary, and whether the other endpoint is asked then, by release.
FAILOVERS: dict[str, tuple[Callable[[World], object], dict[str, bool]]] = {
    "shows a chain of another root": (
        lambda world: serves(world, ota2="isrg-root-x1", ota="isrg-root-x1"), {"2.0.2": True, "sdk-1.0.0": True},
    ),
    "has a name that nobody knows": (lambda _world: None, {"2.0.2": True, "sdk-1.0.0": False}),
    "says nothing": (
        lambda world: serves(world, ota2="bundle", ota="bundle").silent.update(
            {"ota2.deploythefleet.com", "ota.deploythefleet.io"}
        ),
        {"2.0.2": True, "sdk-1.0.0": False},
    ),
    "is not there": (
        lambda world: world.gone.update(
            {"ota2.deploythefleet.com": UNREACHABLE, "ota.deploythefleet.io": UNREACHABLE}
        ),
        {"2.0.2": True, "sdk-1.0.0": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize("library", ["2.0.2", "sdk-1.0.0"])
@pytest.mark.parametrize("case", FAILOVERS)
def test_2_x_falls_back_when_it_cannot_connect_and_the_sdk_when_it_does_not_trust(case, library):
    spoil, falls_back = FAILOVERS[case]
    world = serves(fleet(library), ota4="dtf-root-x1", ota9="dtf-root-x1")
    spoil(world)
    assert (checked(world) == "installed") == falls_back[library]


def test_2_x_does_not_fall_back_when_the_server_refuses():
    world = serves(fleet("2.0.2", lambda _: answer(404)), ota2="bundle", ota4="dtf-root-x1")
    assert checked(world) == "failed"
    assert [peer.host for peer in world.peers] == ["ota2.deploythefleet.com"]


#: Release, ESP-IDF, status: what the library tells its caller.
TOLD: dict[str, tuple[str, str, int, str]] = {
    "2.0.0, 304 on 5.5": ("2.0.0", "5.5", 304, "dtf:-1"),
    "2.0.1, 304 on 5.5": ("2.0.1", "5.5", 304, "dtf:-1"),
    "2.0.2, 304 on 5.5": ("2.0.2", "5.5", 304, "dtf:4"),
    "2.0.0, 304 on 5.4": ("2.0.0", "5.4", 304, "dtf:4"),
    "2.0.2, 304 on 5.4": ("2.0.2", "5.4", 304, "dtf:4"),
    "2.0.2, 204": ("2.0.2", "5.5", 204, "dtf:4"),
    "2.0.2, 500": ("2.0.2", "5.5", 500, "dtf:-1"),
    "the SDK, 304 on 5.4": ("sdk-1.0.0", "5.4", 304, "dtf:4"),
}


@pytest.mark.parametrize("case", TOLD)
def test_2_x_tells_its_caller_what_its_release_makes_of_a_status(case):
    library, idf, status, told = TOLD[case]
    world = serves(fleet(library, lambda _: answer(status), idf=idf), ota2="bundle", ota="bundle")
    checked(world)
    assert [name for name in world.events if name.startswith("dtf:")] == [told]


def test_2_x_never_tells_that_a_certificate_failed():
    world = serves(fleet("2.0.2"), ota2="isrg-root-x1", ota4="isrg-root-x1")
    assert checked(world) == "failed"
    assert [name for name in world.events if name.startswith("dtf:")] == ["dtf:-1"]


def check_two_check_ins() -> None:
    """Both endpoints fail once; then the primary is sound and says 304, and the other one is asked all the same."""
    world = serves(fleet("2.0.2", lambda _: answer(304)), ota2="isrg-root-x1", ota4="isrg-root-x1")
    assert checked(world) == "failed"
    assert not world.asked
    serves(world, ota2="bundle", ota4="dtf-root-x1")
    assert checked(world, 7200) == "no-update"
    assert [asked.host[:4] for asked in world.asked] == ["ota2", "ota4"]


def test_an_error_that_is_kept_makes_two_check_ins_of_one():
    check_two_check_ins()


def test_a_restart_forgets_the_error():
    world = serves(fleet("2.0.2", lambda _: answer(304)), ota2="isrg-root-x1", ota4="isrg-root-x1")
    assert checked(world) == "failed"
    serves(world, ota2="bundle", ota4="dtf-root-x1")
    world.boot()
    assert checked(world) == "no-update"
    assert [asked.host[:4] for asked in world.asked] == ["ota2"]


# -- how an application lives ----------------------------------------------------------------------------------------


def installed(new: EspBehaviour, runs: str = "ok") -> World:
    """A board with rollback that has just started `new` for the first time."""
    world = World(https(rollback=True), new=new)
    world.record(0, Record.of(1, State.VALID))
    world.knows(NEW, new, runs)
    world.power_on().run(60, until="start:ota_1")
    return world


#: How the new image behaves, and which slot runs after a day and a power cut.
LIVES: dict[str, tuple[dict[str, object], str, str]] = {
    "confirms at its start": ({}, "ok", "ota_1"),
    "never confirms": ({"confirms": "never"}, "ok", "ota_0"),
    "never confirms, by its kind": ({}, "never-confirms", "ota_0"),
    "confirms after an hour": ({"confirms": 3600}, "ok", "ota_1"),
    "confirms after two days": ({"confirms": 172_800}, "ok", "ota_0"),
    "confirms after a check": ({"confirms": "after-check"}, "ok", "ota_1"),
    "confirms after a check that fails": ({"confirms": "after-check", "pins": ("other",)}, "ok", "ota_0"),
    "confirms after a check, hangs before": ({"confirms": "after-check", "hangs_after": 1}, "ok", "ota_0"),
    "hangs at once": ({"confirms": 1}, "hangs", "ota_0"),
    "crashes before it confirms": ({"confirms": 30, "crashes_after": 10}, "ok", "ota_0"),
}


@pytest.mark.parametrize("case", LIVES)
def test_only_an_image_that_confirms_itself_outlives_a_power_cut(case):
    fields, runs, slot = LIVES[case]
    world = installed(https(rollback=True, checks_every=86_400, **fields), runs)
    world.behaviour = world.behaviour.model_copy(update={"checks_at_boot": False})
    world.answers = lambda _: answer(404) if world.board.running == "ota_0" else serving(IMAGE)(_)
    world.run(86_000)
    assert world.boot() == slot


def test_a_crash_is_a_panic_and_a_software_reset():
    world = World(https(crashes_after=5, checks_at_boot=False))
    world.power_on().run(9)
    assert "Guru Meditation Error" in world.console
    assert "rst:0xc (SW_CPU_RESET)" in world.console
    assert world.board.running == "ota_0"


def test_an_image_that_crashes_over_and_over_on_probation_runs_once():
    world = installed(https(rollback=True), "crashes")
    world.answers = lambda _: answer(404)
    world.run(60)
    assert world.events.count("start:ota_1:new") == 1
    assert world.board.running == "ota_0"


def test_an_image_that_nobody_knows_starts_and_stays():
    world = World(https())
    world.images.clear()
    world.power_on().run(3600)
    assert "App version:      1.0.0" in world.console
    assert "connect" not in world.orders


def test_checks_come_at_their_interval():
    world = world_of(https(checks_every=100), lambda _: answer(304))
    world.power_on().run(1000)
    assert len(world.asked) == 10
    later = world_of(https(checks_every=100, checks_at_boot=False), lambda _: answer(304))
    later.power_on().run(1000)
    assert len(later.asked) == 9


def test_a_device_that_waits_for_the_time_waits_for_ever(monkeypatch):
    monkeypatch.setattr(boot, "application", partial(application, network_time=lambda: None))
    world = world_of(https(set_time=True))
    world.power_on().run(7 * 24 * 3600)
    assert "online" in world.events
    assert "check" not in world.events


def test_dates_are_checked_by_a_clock_that_was_set():
    """Without one it is 1970, and every certificate is of the future."""
    lost = world_of(https(checks_dates=True))
    assert checked(lost) == "failed"
    assert [peer.error for peer in lost.peers] == ["SSLV3_ALERT_CERTIFICATE_UNKNOWN"]
    world = world_of(https(checks_dates=True, set_time=True))
    assert checked(world) == "installed"


# -- the behaviour's fields ------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, object], str]] = {
    "an unknown field": ({"colour": "red"}, "colour"),
    "a client without an address": ({"client": "arduino"}, "needs url"),
    "an address without a client": ({"url": "https://x/"}, "need a client"),
    "2.x with an address": ({"client": "deploy-the-fleet", "library": "2.0.2", "url": "https://x/"}, "needs product"),
    "a library without its client": ({"client": "arduino", "library": "2.0.2", "url": "https://x/"}, "go together"),
    "pins beside a library's": (
        {"client": "deploy-the-fleet", "library": "1.0.7", "url": "https://x/", "pins": ["a"]}, "its own pins",
    ),
    "resumption before 5.5": (
        {"client": "https-ota", "url": "https://x/", "idf": "5.4", "resumption": True}, "came with idf 5.5",
    ),
    "anti-rollback without rollback": ({"anti_rollback": True}, "needs rollback"),
    "a path as a pin": ({"client": "arduino", "url": "https://x/", "pins": ["../key"]}, "pins"),
    "an address that is none": ({"client": "arduino", "url": "ftp://x/"}, "url"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_behaviour_that_cannot_be_is_refused_by_its_field(case):
    fields, said = WRONG[case]
    with pytest.raises(ValidationError, match=said):
        EspBehaviour.model_validate(fields)


def test_5_10_comes_after_5_5():
    assert EspBehaviour(idf="5.10", rollback=True).invalidates_at_begin
    assert not EspBehaviour(idf="5.4", rollback=True).invalidates_at_begin


# -- HTTP ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(1, 30), max_size=20))
def test_chunks_come_out_whole_however_they_are_cut(chunks, cuts):
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: x\r\n\r\n"
    reader, plain = ChunkReader(), b""
    for cut in [*cuts, len(framed)]:
        plain += reader.feed(framed[:cut])
        framed = framed[cut:]
    assert (plain, reader.complete) == (b"".join(chunks), True)


@given(st.binary(max_size=300))
def test_whatever_comes_as_chunks_or_head_is_taken_or_refused_by_name(noise):
    for parse in (ChunkReader().feed, Head.parse, lambda raw: Head.parse(b"HTTP/1.1 200 OK\r\n" + raw).length):
        with contextlib.suppress(Malformed):
            parse(noise)


@given(st.text(max_size=40) | st.text(max_size=20).map("https://".__add__))
def test_whatever_is_given_as_an_address_is_one_or_is_refused(text):
    with contextlib.suppress(Malformed):
        url = Url.parse(text)
        assert url.host
        assert url.path.startswith("/")


# -- planted faults --------------------------------------------------------------------------------------------------


def _cb_always(monkeypatch):
    real = deploy_the_fleet.attempts_1
    monkeypatch.setattr(deploy_the_fleet, "attempts_1", lambda library, url: real("1.0.8", url))


def _first_bytes_first(monkeypatch):
    monkeypatch.setattr(arduino_update, "KEPT_BACK", 0)


def _forgets_the_error(monkeypatch):
    real = deploy_the_fleet.Library2.check

    def check(self):
        self._tls_error = 0
        return (yield from real(self))

    monkeypatch.setattr(deploy_the_fleet.Library2, "check", check)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = {
    "1.0.7 tells its bundle at every attempt": (_cb_always, lambda: check_bundle_id("1.0.7", BUNDLE_IDS["1.0.7"])),
    "Updater writes the first 16 bytes first": (_first_bytes_first, check_first_bytes_last),
    "2.x forgets the error between checks": (_forgets_the_error, check_two_check_ins),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault, monkeypatch):
    plant, check = FAULTS[fault]
    check()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
