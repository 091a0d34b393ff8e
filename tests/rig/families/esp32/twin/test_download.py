"""Partial and resumed downloads of an ESP32: which ranges are asked for, and what is in flash after cuts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, built, checked, https, world_of
from tests.rig.families.esp32.twin.app.app_server import answer, serving

IMAGE = built(NEW)


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
        https(partial=100_000, idf="6.0"),
        lambda asked: answer(405) if asked.method == "HEAD" else serving(IMAGE)(asked),
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
    world = interrupted(idf="5.5.4")
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
    world = world_of(https(resumption=True, idf="5.5.4"))
    assert checked(world) == "installed"
    world.boot()
    world.asked.clear()
    world.install(0, replace(OLD, seed="other"), https(resumption=True, idf="5.5.4"))
    world.run(7200, until="checked:")
    assert ranges(world)[0] == ("GET", "bytes=0-")


def test_an_image_that_changed_meanwhile_is_refused_whole_and_then_fetched_anew():
    """The first half of one and the second of another: the check of the whole finds it, and the next check begins."""
    world = interrupted()
    other = built(replace(NEW, seed="other"))
    world.answers = serving(other)
    assert checked(world) == "failed"
    assert "New image failed verification" in world.console
    assert checked(world, 7200) == "installed"
    assert world.in_slot(1, len(other)) == other


@pytest.mark.parametrize("k", [40, 90, 91, 92, 93, 94, 95, 170, 300, 340])
def test_wherever_a_resumed_download_was_cut_it_ends_whole(k):
    world = world_of(https(resumption=True))
    world.power_on()
    world.memory.journal.fuse = (k, None)
    world.run(60, until="power-off")
    assert not world.board.powered
    assert checked(world) == "installed"
    assert world.in_slot(1, len(IMAGE)) == IMAGE


def test_a_head_that_comes_with_much_of_its_body_has_an_end():
    world = world_of(https(partial=16384))
    assert checked(world) == "installed", "head and piece came as one, longer than a head may be"
