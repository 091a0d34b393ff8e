"""A twin of an ESP32 outlives what servers, files and images do to it: it fails on its console, as a board does."""

from __future__ import annotations

import math

import pytest

from rig.errors import Misuse
from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.details import EspDetails
from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.boot_config import BootConfig, SecureVersion
from rig.families.esp32.formats.partition_table import DATA, LAYOUTS, OTADATA, Partition, PartitionTable
from rig.families.esp32.lab.twin import trusted
from rig.families.esp32.twin import boot
from rig.families.esp32.twin.chip import Chip
from rig.firmware.manifest import Image
from rig.twin import board_model
from rig.twin.control import ControlServer
from tests.rig.families.esp32.twin import checks_hostile as assert_that
from tests.rig.families.esp32.twin.app.app_board import BOOTLOADER, OLD, World, arduino, built, checked, https, world_of
from tests.rig.families.esp32.twin.app.app_server import serving
from tests.rig.families.esp32.twin.checks_hostile import BEYOND, HOSTILE, a_version_without_room, crashing
from tests.rig.families.esp32.twin.models import served_board

# -- images that crash -----------------------------------------------------------------------------------------------


def test_a_restart_takes_a_time_that_nothing_scales(tmp_path):
    assert_that.a_restart_takes_a_time_that_nothing_scales(tmp_path)


def test_a_board_with_more_to_do_than_time_gives_the_loop_back(monkeypatch):
    monkeypatch.setattr(boot, "RESTART_SECONDS", 0.0)
    world = crashing()
    world.board.most_steps = 500
    world.board.power_on(0.0)
    seen = []
    for now in (1.0, 2.0):
        world.board.advance(now)
        seen.append((world.board.time, world.events.count("restart:0xc")))
    assert [at for at, _ in seen] == [1.0, 2.0]
    assert 0 < seen[0][1] < seen[1][1] <= 500


def test_a_board_that_crashes_at_once_is_served_and_stopped():
    flash = bytearray(b"\xff" * 0x40_0000)
    app = Image("crashing", "esp32", "1", built(OLD), "crashes", EspDetails(esp32=EspBehaviour()))
    for address, data in ((0x1000, BOOTLOADER), (0x8000, LAYOUTS["two_ota_large"].pack()), (0x20000, app.data)):
        flash[address : address + len(data)] = data
    with served_board(
        flash=bytes(flash), time_scale=0.0, find=lambda _area: app, bootloaders=lambda _area, _chip: BootConfig()
    ) as served:
        assert served.board.most_steps < math.inf
        while served.events.count("crash") < 10:
            served.power(True)
        served.power(False)
        assert served.events[-1] == "power-off"


def test_a_board_remembers_only_so_much(monkeypatch):
    monkeypatch.setattr(board_model, "MOST_EVENTS", 100)
    board = World(EspBehaviour()).board
    for number in range(1234):
        board.event(str(number))
    assert 80 <= len(board.events) <= 100
    assert board.events[-1].name == "1233"


# -- servers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", HOSTILE)
def test_whatever_a_server_says_an_update_fails_and_the_next_one_is_tried(case):
    assert_that.an_update_fails_and_the_next_one_is_tried(case)


def test_not_modified_has_no_error_of_its_own_before_5_5(tmp_path):
    assert_that.not_modified_has_no_error_of_its_own_before_5_5(tmp_path)


def test_https_without_anybody_to_trust_is_not_asked_for(tmp_path):
    assert_that.https_without_anybody_to_trust_is_not_asked_for(tmp_path)


def test_the_access_point_s_address_is_the_next_one_by_its_last_byte():
    world = World(arduino(), chip=Chip(b"\xff" * 6), answers=serving(b"\xe9"))
    checked(world)
    assert world.asked[0].headers["x-esp32-ap-mac"] == "FF:FF:FF:FF:FF:00"


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contents", [b"\x30\x82\x01\xff\xfe\x80", b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_certificate_that_is_no_pem_trusts_nobody(tmp_path, contents):
    (tmp_path / "pin.pem").write_bytes(contents)
    world = world_of(https())
    world.board.trust = trusted(tmp_path)
    assert checked(world) == "failed"
    assert "no-such-pin:pin" in world.events
    assert "certificate pin: no certificates in PEM" in world.console


@pytest.mark.parametrize("case", BEYOND)
def test_work_beyond_the_end_of_flash_fails_on_the_board(case):
    assert_that.an_update_fails_at_the_end_of_flash(case)


def test_otadata_that_nothing_can_map_ends_in_a_restart():
    """Its size wraps around, and so gets past the table's own check."""
    world = World(EspBehaviour())
    rows = [row for row in world.table.rows if row.type != DATA or row.subtype != OTADATA]
    rows.append(Partition("otadata", DATA, OTADATA, 0x40_0000, 0xFFFF_F000))
    world.put(0x8000, PartitionTable(tuple(rows)).pack())
    world.power_on().run(2)
    assert "bootloader_mmap(0x400000, 0xfffff000) failed" in world.console
    assert world.events.count("restart:0x3") > 3
    assert not world.work


def test_a_header_that_promises_more_flash_than_there_is_breaks_nothing():
    rows = [*LAYOUTS["two_ota_large"].rows]
    rows[1] = Partition("otadata", DATA, OTADATA, 0x50_0000, 0x2000)
    world = World(https(rollback=True))
    world.put(0x8000, PartitionTable(tuple(rows)).pack())
    config = BootConfig(rollback=True, flash_size=0x100_0000)
    world.board.bootloaders = lambda _area, _chip: config
    world.power_on().run(5)
    assert world.board.running == "ota_0"
    assert not world.work


def test_a_secure_version_without_room_is_told_and_not_burned(tmp_path):
    assert_that.a_secure_version_without_room_is_told_and_not_burned(tmp_path)


def test_the_second_stage_goes_on_when_a_secure_version_has_no_room():
    world = a_version_without_room()
    burned: list[int] = []
    fuse = SecureVersion(lambda: 0, burned.append)
    told = boot_once(bytearray(world.memory.flash.dump()), BootConfig(secure_version=fuse))
    assert told.booted == "ota_0"
    assert burned == []


# -- the control port ------------------------------------------------------------------------------------------------


def test_what_a_handler_refuses_is_answered():
    def refuse(_request):
        raise Misuse("the board is in no mood for it")

    assert ControlServer({"press": refuse}).answer({"do": "press"}) == {
        "error": "press: the board is in no mood for it"
    }
