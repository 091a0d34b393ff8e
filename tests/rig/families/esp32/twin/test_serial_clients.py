"""An ESP32's https-ota client end to end in memory: what it asks, what an answer leads to, what is in flash then.

Over real TLS; facts from ESP-IDF's esp_https_ota.c. And what every client does with silence and noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.otadata import Record, State
from rig.twin.network import UNREACHABLE
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, arduino, built, checked, fleet, https, world_of
from tests.rig.families.esp32.twin.app.app_server import HOST, Answer, Asked, answer, chunked, issued, root_pem, serving

IMAGE = built(NEW)


#: An answer, what the check comes to, how many requests it takes, and what the console says.
ANSWERS: dict[str, tuple[str, Callable[[Asked], Answer], str, int, str]] = {
    "200": ("5.5", serving(IMAGE), "installed", 1, "upgrade successful. Rebooting"),
    "204": ("5.5", lambda _: answer(204), "failed", 1, "Complete headers were not received"),
    "304 from 5.5 on": ("5.5", lambda _: answer(304), "no-update", 1, "not modified"),
    "304 before 5.5": ("5.4", lambda _: answer(304), "failed", 1, "Complete headers were not received"),
    "401": ("5.5", lambda _: answer(401), "failed", 1, "Authorization Failed"),
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
        "data read -1, errno 128",
    ),
    "more than was said": (
        "5.5", lambda _: answer(200, IMAGE + bytes(500), Content_Length=str(len(IMAGE))), "installed", 1, "successful",
    ),
    "a truncated image": ("5.5", serving(IMAGE[:64_000]), "failed", 1, "New image failed verification"),
    "chunks": ("5.5", lambda _: chunked(IMAGE), "installed", 1, "upgrade successful"),
    "chunks, and the last is missing": (
        "5.5", lambda _: Answer(chunked(IMAGE).data[:-5]), "failed", 1, "data read -1, errno 128",
    ),
    "no length, and a hang-up at the end": (
        "5.5", lambda _: answer(200, IMAGE, Content_Length=""), "installed", 1, "upgrade successful",
    ),
    "a wrong first byte": (
        "5.5", serving(b"\x7f" + IMAGE[1:]), "failed", 1, "invalid magic byte (expected 0xE9, saw 0x7f)",
    ),
    "an image for another chip": ("5.5", serving(IMAGE[:12] + b"\x05" + IMAGE[13:]), "failed", 1, "Mismatch chip id"),
    "an image for later chips": (
        "5.5", serving(built(replace(NEW, min_revision=301))), "failed", 1, "chip revision check failed",
    ),
    "no description": ("5.5", serving(built(replace(NEW, described=False))), "failed", 1, "Incorrect app descriptor"),
    "the version that runs": ("5.5", serving(built(OLD)), "no-update", 1, "the same as a new"),
}  # fmt: skip


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
    "to a path of the same host": ("/other.bin", ["/image.bin", "/other.bin"], "installed"),
    "to a name beside it": ("other.bin", ["/image.bin"], "failed"),
    "to another host": ("https://two.test/other.bin", ["/image.bin", "/other.bin"], "installed"),
    "to another host that is not trusted": ("https://three.test/other.bin", ["/image.bin"], "failed"),
    "from https to http": ("http://plain.test/other.bin", ["/image.bin", "/other.bin"], "installed"),
    "nowhere": ("", ["/image.bin"], "failed"),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("case", REDIRECTS)
def test_redirects_are_followed_with_the_same_trust(case, status):
    location, paths, expected = REDIRECTS[case]

    def answers(asked: Asked) -> Answer:
        return answer(status, Location=location) if asked.path == "/image.bin" else serving(IMAGE)(asked)

    world = world_of(https(), answers)
    world.hosts |= {"two.test": issued("a", "two.test"), "three.test": issued("b", "three.test"), "plain.test": None}
    assert checked(world) == expected
    assert [asked.path for asked in world.asked] == paths


#: Why there is no connection, and what the console says.
UNREACHABLES: dict[str, tuple[Callable[[World], object], str]] = {
    "nobody knows the name": (lambda world: world.hosts.clear(), "couldn't get hostname for :ota.test:"),
    "nobody listens": (lambda world: world.gone.update({HOST: UNREACHABLE}), "Connection refused"),
    "the pin is another": (
        lambda world: world.files.update(pin=root_pem("b")), "mbedtls_ssl_handshake returned -0x2700",
    ),
    "the pin is nowhere": (lambda world: world.files.clear(), "mbedtls_ssl_handshake returned -0x7680"),
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
    world.files["pin"] = root_pem("b")
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


# -- every client ----------------------------------------------------------------------------------------------------

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
