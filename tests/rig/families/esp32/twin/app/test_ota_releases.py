"""What an ESP32's update writes, release by release: which record, which sectors, and what an update comes to then.

Rows of rig.families.esp32.formats.idf_client, each on both sides of its change.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.boots import EspBoots
from rig.families.esp32.formats.otadata import Record, State
from tests.rig.families.esp32.firmware import checks_releases as of_releases
from tests.rig.families.esp32.twin.app.app_board import (
    NEW,
    World,
    arduino,
    built,
    checked,
    fleet,
    https,
    serves,
    world_of,
)
from tests.rig.families.esp32.twin.app.app_server import Asked, answer
from tests.rig.families.esp32.twin.app.foreign_answers import IMAGE, head_without_length
from tests.rig.families.esp32.twin.app.updates import (
    OTHER,
    RUNNING,
    SECTOR,
    T_OFFSET,
    R,
    T,
    begun,
    refused,
    started,
    update_until,
)

# -- the record of the new slot --------------------------------------------------------------------------------------

#: Releases on both sides of the change.
BEFORE_6, FROM_6 = ("3.3", "4.4.8", "5.1", "5.5.5"), ("6.0-beta1", "6.0", "6.1-beta1")


@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("idf", BEFORE_6)
def test_before_6_0_the_other_sector_gets_the_number_of_the_active_one(idf, active):
    world = of_releases.chosen_once_more(idf, active)
    assert [record.seq for record in world.records] == [4, 4]
    assert world.records[active].state == State.VALID
    assert world.records[1 - active].state == State.NEW


@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("idf", FROM_6)
def test_from_6_0_on_the_active_record_is_rewritten_where_it_lies(idf, active):
    world = of_releases.chosen_once_more(idf, active)
    assert (world.records[active].seq, world.records[active].state) == (4, State.NEW)
    assert world.records[1 - active] == Record.of(3, State.VALID)


def test_with_the_active_record_first_the_new_image_runs_unwatched_before_6_0():
    world = of_releases.chosen_once_more("5.5.5", active=0)
    assert [record.seq for record in world.records] == [4, 4], "the other sector did not get the number"
    assert [started(world), started(world)] == [T, T]
    assert [record.state for record in world.records] == [State.VALID, State.NEW], "somebody looked at the second"


def test_with_the_active_record_second_giving_up_leads_to_the_new_image_again():
    """On probation by the first record; once that is given up, the second one chooses the same slot, unwatched."""
    world = of_releases.chosen_once_more("5.5.5", active=1)
    assert started(world) == T
    assert world.records[0].state == State.PENDING_VERIFY
    assert [started(world), started(world)] == [T, T]
    assert world.records[0].state == State.ABORTED


def test_from_6_0_on_giving_up_leads_back():
    world = of_releases.chosen_once_more("6.0", active=1)
    assert [started(world), started(world)] == [T, R]


#: Which record goes in the choice, and what starts where its rewrite is cut after the erase.
CHOICES = {
    ("5.5.5", 1): (RUNNING, T), ("5.5.5", 0): (OTHER, T), ("6.0", 1): (OTHER, R), ("6.0", 0): (RUNNING, R),
}  # fmt: skip


@pytest.mark.parametrize(("idf", "active"), CHOICES)
def test_a_cut_while_the_slot_is_chosen_once_more_finds_another_record_gone(idf, active):
    """The windows move: before 6.0 the running image's own record goes, and the stale one starts what nobody chose."""
    sector, starts = CHOICES[idf, active]
    erase = next(one for one in reversed(of_releases.operations_of_choice(idf, active)) if one.kind == "erase")
    assert erase.address == sector
    world = of_releases.stale_world(idf, active)
    update_until(world, erase.k + 1)
    assert started(world) == starts


# -- what is erased --------------------------------------------------------------------------------------------------


def erased(world: World) -> list[tuple[str, int]]:
    return [(kind, address) for kind, address, _size in world.work if "erase" in kind and address >= T_OFFSET]


@pytest.mark.parametrize(("idf", "whole"), [("3.3", True), ("5.2.7", True), ("5.3", False), ("6.0", False)])
def test_bulk_erase_erased_the_whole_slot_before_5_3(idf, whole):
    world = world_of(https(idf=idf, bulk_erase=True))
    assert checked(world) == "installed"
    size = sum(size for kind, address, size in world.work if "erase" in kind and address >= T_OFFSET)
    assert size == (world.slot(T).size if whole else -(-len(IMAGE) // SECTOR) * SECTOR)


@pytest.mark.parametrize(
    ("idf", "times"), [("4.4.6", 2), ("4.4.7", 1), ("5.0.5", 2), ("5.0.6", 1), ("5.1.2", 2), ("5.1.3", 1), ("5.2", 1)]
)
def test_older_releases_erase_the_next_sector_with_the_end_of_one_and_once_more_when_they_write_it(idf, times):
    world = begun_world(idf)
    update = begun(world)
    for at in range(0, 3 * SECTOR, 1024):
        of_releases.write(world, update, IMAGE[at : at + 1024])
    assert [address for _kind, address in erased(world)].count(T_OFFSET + SECTOR) == times
    assert world.in_slot(T, 3 * SECTOR) == IMAGE[: 3 * SECTOR]


@pytest.mark.parametrize(("idf", "error"), [("5.1.2", 0x104), ("5.1.3", None)])
def test_older_releases_refuse_an_image_that_fills_its_slot(idf, error):
    world = begun_world(idf)
    update = begun(world)
    image = built(NEW, world.slot(T).size)
    assert refused(lambda: of_releases.write(world, update, image)) == error


def begun_world(idf: str) -> World:
    return world_of(https(idf=idf, rollback=False))


# -- what an update comes to -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idf", "told"), [("5.0.4", "installed"), ("5.0.5", "failed"), ("5.1.2", "installed"), ("6.0", "failed")]
)
def test_some_releases_print_the_error_of_the_choice_and_lose_it(idf, told):
    """An image whose secure version is too low is erased, and the update counts as done: the old one starts again."""
    world = world_of(https(idf=idf, rollback=True, anti_rollback=True))
    world.board.chip.raise_secure_version(2)
    assert checked(world) == told
    assert "esp_ota_set_boot_partition failed! err=0x1504" in world.console
    assert world.in_slot(T) == b"\xff" * world.slot(T).size
    assert world.records[0].seq == 1


@pytest.mark.parametrize("idf", ["4.4.8", "5.1", "5.5.5", "6.0"])
def test_one_call_reports_success_where_head_told_no_length_and_chooses_nothing(idf):
    """From 6.0 on a length that is unknown ends it; a wrong one goes on as before."""
    told = "installed" if idf != "6.0" else "failed"
    world = world_of(https(idf=idf, partial=65536, compares_version=False), head_without_length())
    assert checked(world) == told
    assert (world.in_slot(T, len(IMAGE)) == IMAGE) == (told == "installed")
    assert started(world) == R


@pytest.mark.parametrize(("idf", "code"), [("5.4.4", "ESP_FAIL"), ("5.5", "ESP_ERR_HTTP_CONNECT")])
def test_one_call_did_not_tell_why_it_could_not_begin_before_5_5(idf, code):
    world = world_of(https(idf=idf, compares_version=False))
    world.hosts.clear()
    assert checked(world) == "failed"
    assert f"upgrade failed {code}" in world.console


@pytest.mark.parametrize(("idf", "where"), [("5.3.5", "partition subtype 17"), ("5.4", "<ota_1> partition")])
def test_where_it_writes_is_told_by_label_from_5_4_on(idf, where):
    world = world_of(https(idf=idf))
    checked(world)
    assert f"Writing to {where} at offset 0x1d0000" in world.console


def test_3_3_writes_whatever_comes_and_the_image_s_own_check_is_all_it_has():
    world = world_of(https(idf="3.3", rollback=False), lambda _: answer(404, IMAGE))
    assert checked(world) == "installed"
    assert started(world) == T


def test_3_3_takes_silence_for_the_end():
    def half(_asked: Asked) -> object:
        return replace(answer(200, IMAGE[:50_000], Content_Length=str(len(IMAGE))), hangs_up=False)

    world = world_of(https(idf="3.3", rollback=False), half)  # type: ignore[arg-type]
    assert checked(world) == "failed"
    assert "Connection closed, all data received" in world.console
    assert world.took() < 60


# -- Arduino and Deploy the Fleet ------------------------------------------------------------------------------------

#: The core, how the server writes the image's x-MD5, and what the update comes to.
CORES = {
    "2.0.17, in capitals": ({"core": "2.0.17"}, str.upper, "failed"),
    "3.0, in capitals": ({"core": "3.0"}, str.upper, "installed"),
    "3.3, in capitals": ({"core": "3.3.1"}, str.upper, "installed"),
    "of ESP-IDF 4.4, in capitals": ({"idf": "4.4.8"}, str.upper, "failed"),
    "of ESP-IDF 5.1, in capitals": ({"idf": "5.1"}, str.upper, "installed"),
    "2.0.17, in small letters": ({"core": "2.0.17"}, str.lower, "installed"),
    "2.0.17, of another image": ({"core": "2.0.17"}, lambda _md5: "0" * 32, "failed"),
    "3.3, of another image": ({"core": "3.3"}, lambda _md5: "0" * 32, "failed"),
}


@pytest.mark.parametrize("case", CORES)
def test_capitals_in_x_md5_fail_with_core_2(case):
    fields, written, told = CORES[case]
    world = of_releases.with_md5(arduino(**fields), written)
    assert checked(world) == told
    assert ("MD5 Check Failed" in world.console) == (told == "failed")


def test_a_core_says_which_esp_idf():
    assert EspBehaviour(core="2.0.17").idf.startswith("4.4")
    assert EspBehaviour(core="3.0").idf.startswith("5.1")
    assert EspBehaviour(core="3.3", idf="5.5.4").idf == "5.5.4"


#: How an `idf` may be written, in every table that has one, and as what it is kept.
IDF_NAMES = {
    "5.5": "5.5", "v5.4.2": "5.4.2", "6.1-dev": "6.1-dev", "v6.1-beta1": "6.1-beta1",
    "v5.5.1-838-gd66ebb8": "5.5.1-838-gd66ebb8",
    "5": None, "5.5-alpha1": None, "five": None, "5.5\n": None, "\u0665.\u0665": None,
}  # fmt: skip


@pytest.mark.parametrize("table", [EspBehaviour, EspBoots])
@pytest.mark.parametrize("idf", IDF_NAMES)
def test_a_release_of_esp_idf_is_named_alike_in_every_table(table, idf):
    if IDF_NAMES[idf] is not None:
        assert table(idf=idf).idf == IDF_NAMES[idf]
        return
    with pytest.raises(ValidationError, match="is no release of ESP-IDF"):
        table(idf=idf)


@pytest.mark.parametrize(("idf", "told"), [("5.4.4", "dtf:5"), ("5.5", "dtf:-1")])
def test_deploy_the_fleet_tells_of_the_certificate_where_the_one_call_says_no_more_than_esp_fail(idf, told):
    world = serves(fleet("2.0.2", idf=idf), ota2="isrg-root-x1", ota4="isrg-root-x1")
    assert checked(world) == "failed"
    assert told in world.events
