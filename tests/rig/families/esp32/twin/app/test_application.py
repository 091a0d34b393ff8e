"""How an ESP32's application lives: on probation, crashing, hanging, checking; and which behaviours there can be."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats.otadata import Record, State
from tests.rig.families.esp32.twin.app.app_board import NEW, World, built, checked, https, world_of
from tests.rig.families.esp32.twin.app.app_server import answer, serving

IMAGE = built(NEW)


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


def test_a_device_that_waits_for_the_time_waits_for_ever():
    world = world_of(https(set_time=True))
    world.board.network_time = lambda: lambda: None
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
    "2.x with an address": (
        {"client": "deploy-the-fleet", "fleet_release": "2.0.2", "url": "https://x/"}, "needs product",
    ),
    "a library without its client": (
        {"client": "arduino", "fleet_release": "2.0.2", "url": "https://x/"}, "go together",
    ),
    "pins beside a library's": (
        {"client": "deploy-the-fleet", "fleet_release": "1.0.7", "url": "https://x/", "pins": ["a"]}, "its own pins",
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
