"""How downloads of an ESP32 are resumed, and come in pieces, release by release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.families.esp32.formats.otadata import Record, State
from tests.rig.families.esp32.twin.app.app_board import (
    OLD,
    World,
    built,
    checked,
    https,
    world_of,
)
from tests.rig.families.esp32.twin.app.app_server import answer, serving
from tests.rig.families.esp32.twin.app.foreign_answers import IMAGE
from tests.rig.families.esp32.twin.app.updates import (
    T,
    ota_of,
    refused,
)


def interrupted(idf: str, k: int = 170, **fields: object) -> World:
    """The supply failed in the middle of a download, and is back."""
    world = world_of(https(idf=idf, resumption=True, **fields))
    world.power_on()
    world.memory.journal.fuse = (k, None)
    world.run(60, until="power-off")
    world.asked.clear()
    return world


@pytest.mark.parametrize(
    ("idf", "first"), [("5.5.3", None), ("5.5.4", "bytes=0-"), ("6.0-beta1", None), ("6.0", "bytes=0-")]
)
def test_newer_releases_ask_for_a_range_from_the_beginning(idf, first):
    world = world_of(https(idf=idf, resumption=True))
    assert checked(world) == "installed"
    assert world.asked[0].headers.get("range") == first


@pytest.mark.parametrize(
    ("idf", "told"), [("5.5.3", "failed"), ("5.5.4", "installed"), ("6.0-beta1", "failed"), ("6.0", "installed")]
)
def test_a_server_without_ranges_has_its_image_appended_where_206_is_not_asked_for(idf, told):
    world = interrupted(idf)
    world.answers = lambda _: answer(200, IMAGE)
    assert checked(world) == told
    assert ("Falling back to OTA without resumption" in world.console) == (told == "installed")
    assert (world.in_slot(T, len(IMAGE)) == IMAGE) == (told == "installed")


@pytest.mark.parametrize("idf", ["5.5", "5.5.5", "6.0", "6.1"])
def test_a_range_beyond_the_end_starts_over(idf):
    world = interrupted(idf, k=380)
    other = built(replace(OLD, seed="short", version="3.0.0"), 65_616)
    world.answers = serving(other)
    assert checked(world) == "installed"
    assert "estarting download from beginning" in world.console
    assert world.in_slot(T, len(other)) == other


@pytest.mark.parametrize(("idf", "error"), [("5.5.5", None), ("6.1-beta1", None), ("6.1", 0x1506)])
def test_an_image_on_probation_could_resume_a_download_into_what_it_would_go_back_to(idf, error):
    world = World(https(idf=idf, rollback=True))
    world.record(0, Record.of(3, State.PENDING_VERIFY))
    assert refused(lambda: ota_of(world).resume(world.slot(T), None, 2048)) == error


@pytest.mark.parametrize(("idf", "dials"), [("5.4.3", 4), ("5.4.4", 2), ("5.5.1", 4), ("5.5.2", 2), ("6.0", 2)])
def test_pieces_come_on_one_connection_in_some_releases(idf, dials):
    world = world_of(https(idf=idf, partial=65536))
    assert checked(world) == "installed"
    assert world.orders.count("connect") == dials
