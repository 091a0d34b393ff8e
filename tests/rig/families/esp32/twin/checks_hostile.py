"""Named checks of test_mutants about an ESP32's twin among servers, files and images that mean it no good."""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import TABLE_OFFSET, PartitionTable
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, arduino, built, checked, https, world_of
from tests.rig.families.esp32.twin.app.app_server import HOST, Answer, Answers, Asked, answer, chunked, serving

IMAGE = built(NEW)
#: A size that wraps around 32 bits gets past the table's check.
WRAPPED = 0xFFF0_0000


def outlived(world: World) -> World:
    """The same; a program of it that breaks says no more, and what it had to say is missed."""
    world.board.when_broken(lambda _fault: None)
    return world


def crashing(*, time_scale: float = 0.0) -> World:
    """An image that panics at once, over and over."""
    world = World(EspBehaviour(), time_scale=time_scale)
    world.install(0, OLD, EspBehaviour(), "crashes")
    world.board.most_steps = 3000
    return world


def a_restart_takes_a_time_that_nothing_scales(_folder):
    world = crashing()
    world.board.power_on(0.0)
    world.board.advance(0.05)
    assert 1 <= world.events.count("restart:0xc") <= 6


def redirecting(location: str) -> Answers:
    return lambda _: answer(302, Location=location)


def in_pieces(total: str) -> Answers:
    """A server that knows no HEAD, and tells the length in its own way."""
    return lambda asked: (
        answer(405) if asked.method == "HEAD" else answer(206, b"x", Content_Range=f"bytes 0-0/{total}")
    )


#: What a server says, and how the client asks it.
HOSTILE: dict[str, tuple[Answers, dict[str, object]]] = {
    "a redirect to half an IPv6 address": (redirecting("http://["), {}),
    "a redirect to an impossible port": (redirecting("http://x:99999/"), {}),
    "a redirect to a name of 300 letters": (redirecting(f"https://{'a' * 300}/"), {}),
    "a redirect to a name of other letters": (redirecting("https://\xe4\xf6.example/"), {}),
    "a redirect to a name with a NUL": (redirecting("https://a\0b/"), {}),
    "a total of 5000 digits": (in_pieces("9" * 5000), {"partial": 65536}),
    "a total below nothing": (in_pieces("-7"), {"partial": 65536}),
    "a total that nobody knows": (in_pieces("*"), {"partial": 65536}),
}  # fmt: skip


def an_update_fails_and_the_next_one_is_tried(case: str) -> None:
    """By a board that asks such a server twice."""
    answers, fields = HOSTILE[case]
    world = outlived(world_of(https(url=f"http://{HOST}/image.bin", idf="6.0", **fields), answers))
    world.hosts[HOST] = None
    assert [checked(world, 4000), checked(world, 4000)] == ["failed", "failed"]


def no_server_breaks_a_twin(_folder):
    for case in HOSTILE:
        an_update_fails_and_the_next_one_is_tried(case)


def with_slot(world: World, number: int, offset: int, size: int) -> World:
    """The same board with another OTA slot in its table."""
    rows = [replace(row, offset=offset, size=size) if row.slot == number else row for row in world.table.rows]
    world.table = PartitionTable(tuple(rows))
    world.put(TABLE_OFFSET, world.table.pack())
    return world


#: What works on a slot that goes on beyond the end of flash, and what the console says then.
BEYOND: dict[str, tuple[EspBehaviour, Answers, int, str]] = {
    "sector by sector": (https(), serving(IMAGE), 0x3FF000, "ESP_ERR_INVALID_ARG"),
    "all at once": (https(bulk_erase=True), lambda _: chunked(IMAGE), 0x1D0000, "ESP_ERR_INVALID_ARG"),
    "by Arduino's Updater": (arduino(), serving(IMAGE), 0x3FF000, "Flash Write Failed"),
}


def an_update_fails_at_the_end_of_flash(case: str) -> None:
    behaviour, answers, offset, said = BEYOND[case]
    world = outlived(with_slot(world_of(behaviour, answers), 1, offset, WRAPPED))
    assert checked(world) == "failed"
    assert said in world.console
    assert world.board.running == "ota_0"


def work_beyond_the_end_of_flash_fails_on_the_board(_folder):
    for case in BEYOND:
        an_update_fails_at_the_end_of_flash(case)


def https_without_anybody_to_trust_is_not_asked_for(_folder):
    world = world_of(arduino(pins=()))
    assert checked(world) == "failed"
    assert "Either CA or PSK or insecure must be set" in world.console
    assert "connect" not in world.orders


def not_modified_has_no_error_of_its_own_before_5_5(_folder):
    def answers(_asked: Asked) -> Answer:
        return answer(304)

    older, newer = world_of(https(idf="5.4"), answers), world_of(https(idf="5.5"), answers)
    assert (checked(older), checked(newer)) == ("failed", "no-update")
    assert "Complete headers were not received" in older.console


def a_version_without_room(**fields: object) -> World:
    """An application on probation whose secure version has no room in the eFuses."""
    world = World(https(rollback=True, anti_rollback=True, **fields))
    world.install(0, replace(OLD, secure_version=40), world.behaviour)
    world.record(0, Record.of(1, State.NEW))
    return world


def a_secure_version_without_room_is_told_and_not_burned(_folder):
    world = outlived(a_version_without_room(checks_at_boot=False)).power_on().run(5)
    assert "Max secure version is 32. Given 40 version can not be written." in world.console
    assert (world.board.running, world.records[0].state) == ("ota_0", State.VALID)
    assert world.board.chip.secure_version == 0
