"""Deploy the Fleet's libraries, release by release: who asks whom with which pin, defects included.

Facts from arduino_esp32_update at its tags, and dtf_sdk.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rig.twin.network import UNREACHABLE
from tests.rig.families.esp32.twin.app import checks_ota as checks_esp_ota
from tests.rig.families.esp32.twin.app.app_board import FLEET, PINS, World, checked, fleet, serves
from tests.rig.families.esp32.twin.app.app_server import answer, root_pem

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


@pytest.mark.parametrize("library", checks_esp_ota.BUNDLE_IDS)
def test_1_0_7_tells_its_bundle_at_the_last_attempt_only_and_1_0_8_always(library):
    checks_esp_ota.the_paths_a_release_asks(library)


def test_any_failure_leads_to_the_next_attempt():
    """Not only one of TLS: the chain below is good for both pins of 1.0.6."""
    world = serves(fleet("1.0.6", lambda _: answer(404)), ota="isrg-root-x1")
    world.files["cloudflare-origin-ca"] = root_pem("isrg-root-x1")
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


def test_an_error_that_is_kept_makes_two_check_ins_of_one(tmp_path):
    checks_esp_ota.an_error_that_is_kept_makes_two_check_ins_of_one(tmp_path)


def test_a_restart_forgets_the_error():
    world = serves(fleet("2.0.2", lambda _: answer(304)), ota2="isrg-root-x1", ota4="isrg-root-x1")
    assert checked(world) == "failed"
    serves(world, ota2="bundle", ota4="dtf-root-x1")
    world.boot()
    assert checked(world) == "no-update"
    assert [asked.host[:4] for asked in world.asked] == ["ota2"]
