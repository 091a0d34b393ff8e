"""What a running ESP32 application writes when it updates, and what starts after a cut: ESP-IDF's esp_ota_ops.c.

Power fails at the very flash operation, and the second stage itself says what starts then.
"""

from __future__ import annotations

import pytest

from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.twin.app.ota import Ota
from rig.twin.flash import PowerLost
from rig.twin.tears import named_tear
from tests.rig.families.esp32.twin.app import checks_ota as checks_esp_ota
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, built, carry_out, https
from tests.rig.families.esp32.twin.app.updates import (
    SETTINGS,
    R,
    T,
    confirming,
    first_bytes,
    invalidates,
    operations,
    operations_of,
    started,
    update_until,
    updating,
)

# -- the order of operations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", SETTINGS)
def test_flash_is_worked_on_in_the_order_of_a_real_update(case):
    """Rows 2 and 4: what begin erases and when, and nothing between the last byte and the choice of the slot."""
    checks_esp_ota.the_order_of_an_update(SETTINGS[case])


@pytest.mark.parametrize("case", SETTINGS)
def test_an_update_that_nothing_disturbs_arrives_whole_and_is_chosen(case):
    checks_esp_ota.the_arrival_of_an_update(SETTINGS[case])


# -- the cut table ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", SETTINGS)
def test_rows_1_to_3_a_cut_before_the_choice_leaves_the_old_one(case):
    """In the slot, at begin, and after the last byte; before an operation, and in it."""
    done = operations(updating(**SETTINGS[case]))
    chosen = done[-2].k
    for k in sorted({0, 1, 2, *range(3, chosen, 19), chosen - 1, chosen}):
        tears = (None, named_tear("random-subset", k), named_tear("all-zero", k), named_tear("prefix", k))
        tear = None if k == chosen else tears[k % len(tears)]
        world = update_until(updating(**SETTINGS[case]), k, tear)
        assert started(world) == R, f"cut at {done[k]}"
        if k > 0 and invalidates(SETTINGS[case]) and not SETTINGS[case].get("bulk_erase"):
            assert world.records[1].seq == otadata.BLANK


@pytest.mark.parametrize("case", SETTINGS)
def test_row_3_after_the_last_byte_the_slot_is_whole_and_not_chosen(case):
    chosen = operations(updating(**SETTINGS[case]))[-2].k
    world = update_until(updating(**SETTINGS[case]), chosen)
    slot = world.slot(T)
    assert esp_image.verify(world.memory.flash.read, slot.offset, slot.size, ESP32).refused is None
    assert otadata.active(world.records) == 0


def _without_state(_kind: str, _old: bytes, new: bytes) -> bytes:
    return new[:24] + b"\xff\xff\xff\xff" + new[28:]


@pytest.mark.parametrize("case", SETTINGS)
def test_rows_5_and_6_a_record_that_is_not_whole_leaves_the_old_one(case):
    """Its sector half erased, erased, and written up to any byte."""
    done = operations(updating(**SETTINGS[case]))
    erase, program = done[-2].k, done[-1].k
    for tear in (named_tear("all-zero", 1), named_tear("half-erased", 2)):
        assert started(update_until(updating(**SETTINGS[case]), erase, tear)) == R
    for count in (0, 1, 3, 4, 12, 24, 27, 28, 30, 31):
        assert started(update_until(updating(**SETTINGS[case]), program, first_bytes(count))) == R


@pytest.mark.parametrize("case", SETTINGS)
def test_row_7_a_record_without_its_state_starts_the_new_one_unmonitored(case):
    program = operations(updating(**SETTINGS[case]))[-1].k
    world = update_until(updating(new="never", **SETTINGS[case]), program, _without_state)
    assert [started(world), started(world)] == [T, T]
    assert world.records[1].state == State.UNDEFINED


@pytest.mark.parametrize("case", SETTINGS)
def test_row_8_after_the_choice_the_new_one_starts(case):
    setting = SETTINGS[case]
    world = update_until(updating(new="never", **setting), None)
    assert started(world) == T
    assert world.records[1].state == (State.PENDING_VERIFY if setting.get("rollback", True) else State.UNDEFINED)


@pytest.mark.parametrize("case", SETTINGS)
def test_row_10_a_cut_on_probation_brings_the_old_one_back(case):
    rollback = SETTINGS[case].get("rollback", True)
    world = update_until(updating(new="never", **SETTINGS[case]), None)
    assert started(world) == T
    assert started(world) == (R if rollback else T)
    assert (world.records[1].state == State.ABORTED) == rollback


@pytest.mark.parametrize("tear", [None, first_bytes(28)], ids=["before", "in it"])
def test_row_11_a_cut_within_the_confirmation_brings_the_old_one_back(tear):
    checks_esp_ota.a_cut_within_the_confirmation(tear)


def test_row_12_after_the_confirmation_the_new_one_stays():
    world = confirming().run(20, until="confirmed")
    assert world.records[1].state == State.VALID
    assert [started(world), started(world)] == [T, T]


def test_row_15_between_the_erases_for_the_factory_a_stale_record_decides():
    world = World(https(), layout="two_ota")
    world.install(T, NEW, https())
    world.put(0x10000, built(OLD))
    world.record(0, Record.of(2, State.UNDEFINED))
    world.record(1, Record.of(1, State.UNDEFINED))
    factory = world.table.factory
    assert factory is not None
    world.memory.journal.fuse = (1, None)
    with pytest.raises(PowerLost):
        carry_out(Ota(world.board, world.slot(T), https()).set_boot(factory), world.memory)
    assert started(world) == R
    carry_out(Ota(world.board, world.slot(T), https()).set_boot(factory), world.memory)
    assert world.boot() == "factory"


def stale(k: int | None = None, idf: str = "5.5") -> World:
    """Record 4 is for slot 1, whose image is broken: slot 0 runs, and updates slot 1 once more."""
    world = updating(new="never", idf=idf)
    world.record(1, Record.of(4, State.VALID))
    world.put(world.slot(T).offset, b"\xe9broken")
    return update_until(world, k)


@pytest.mark.parametrize(("idf", "sector"), [("5.5", "running record"), ("6.0", "other record")])
def test_the_stale_record_starts_an_image_that_nobody_chose_and_nobody_watches(idf, sector):
    chosen = next(one for one in operations_of(stale(idf=idf)) if one.where == sector)
    world = stale(chosen.k, idf)
    assert [started(world), started(world)] == [T, T]
    assert world.records[1] == Record.of(4, State.VALID)


def test_the_stale_record_is_tried_first_while_its_slot_is_being_written():
    done = operations_of(stale())
    world = stale(done[len(done) // 2].k)
    assert started(world) == R
    assert "OTA app partition slot 1 is not bootable" in world.console


def test_power_that_fails_says_nothing_on_the_network(tmp_path):
    checks_esp_ota.power_that_fails_says_nothing_on_the_network(tmp_path)
