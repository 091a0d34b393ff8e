"""What esp_ota_ops refuses, burns and gives up, and whose signatures it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.families.esp32.firmware.signing import make_key, sign
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.twin.app.ota import SEQUENTIAL, Erase, Ota
from tests.rig.families.esp32.twin.app import checks_ota as checks_esp_ota
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, built, carry_out, https
from tests.rig.families.esp32.twin.app.updates import SECTOR, T_OFFSET, R, T, begun, ota_of, refused, started, updating


def test_the_running_slot_is_not_updated():
    world = updating()
    assert refused(lambda: carry_out(ota_of(world).begin(world.slot(R), SEQUENTIAL), world.memory)) == 0x1501


def test_an_image_on_probation_updates_nothing():
    world = updating()
    world.record(0, Record.of(3, State.PENDING_VERIFY))
    assert refused(lambda: begun(world)) == 0x1506
    assert "Running app has not confirmed state" in world.console
    assert not world.work


def test_a_wrong_first_byte_is_refused_after_the_sector_was_erased():
    world = updating(idf="5.4")
    update = begun(world)
    assert refused(lambda: carry_out(update.write(b"\x7fELF" * 256), world.memory)) == 0x1503
    assert world.work == [("erase", T_OFFSET, SECTOR)]


def test_a_broken_image_is_not_chosen(tmp_path):
    checks_esp_ota.a_broken_image_is_not_chosen(tmp_path)
    checks_esp_ota.a_broken_image_leaves_the_records_alone(tmp_path)


def test_an_image_of_the_slot_s_size_fits_and_a_byte_more_does_not():
    world = updating()
    size = world.slot(T).size
    update = begun(world, Erase(0))
    carry_out(update.write(built(NEW, size - 16)), world.memory)
    carry_out(update.write(bytes(16)), world.memory)
    assert refused(lambda: carry_out(update.write(b"\0"), world.memory)) == 0x104
    assert refused(lambda: begun(world, Erase(size + 1))) == 0x104


def test_an_older_secure_version_is_erased_and_refused():
    world = updating(anti_rollback=True)
    world.board.chip.raise_secure_version(2)
    older = built(replace(NEW, secure_version=1))
    world.put(world.slot(T).offset, older)
    assert refused(lambda: carry_out(ota_of(world).set_boot(world.slot(T)), world.memory)) == 0x1504
    assert world.in_slot(T) == b"\xff" * world.slot(T).size
    world.put(world.slot(T).offset, built(replace(NEW, secure_version=2)))
    carry_out(ota_of(world).set_boot(world.slot(T)), world.memory)
    assert world.records[1].seq == 4


def test_confirming_burns_the_secure_version():
    world = updating(anti_rollback=True)
    world.put(world.slot(R).offset, built(replace(OLD, secure_version=3)))
    world.record(0, Record.of(3, State.PENDING_VERIFY))
    carry_out(ota_of(world).mark_valid(), world.memory)
    assert world.records[0] == Record.of(3, State.VALID)
    assert world.board.chip.secure_version == 3


def test_what_is_confirmed_already_is_not_written_again():
    world = updating()
    carry_out(ota_of(world).mark_valid(), world.memory)
    assert not world.work


def test_giving_up_needs_a_sound_image_that_the_other_record_leads_to():
    world = updating()
    assert refused(lambda: carry_out(ota_of(world).mark_invalid(), world.memory)) == 0x1505
    world.put(world.slot(T).offset, built(NEW))
    carry_out(ota_of(world).mark_invalid(), world.memory)
    assert world.records[0].state == State.INVALID
    assert started(world) == T


def test_after_begin_from_5_5_on_there_is_nothing_to_go_back_to():
    world = updating()
    world.put(world.slot(T).offset, built(NEW))
    begun(world)
    assert refused(lambda: carry_out(ota_of(world).mark_invalid(), world.memory)) == 0x1505
    assert "Rollback is not possible" in world.console


def test_the_factory_s_application_forgets_the_rollback_record_too():
    world = World(https(rollback=True), layout="two_ota")
    world.record(0, Record.of(2, State.VALID))
    world.record(1, Record.of(1, State.VALID))
    factory = world.table.factory
    assert factory is not None
    carry_out(Ota(world.board, factory, world.behaviour).begin(world.slot(0), SEQUENTIAL), world.memory)
    assert world.work == [("erase", 0xD000 + SECTOR, SECTOR)]


KEY, STRANGER = make_key(), make_key()
#: The running image, the new one, and whether it is taken where signatures are checked on update.
SIGNED: dict[str, tuple[bytes, bytes, bool]] = {
    "both by one key": (sign(built(OLD), KEY), sign(built(NEW), KEY), True),
    "the new one by another key": (sign(built(OLD), KEY), sign(built(NEW), STRANGER), False),
    "the new one unsigned": (sign(built(OLD), KEY), built(NEW), False),
    "the running one unsigned": (built(OLD), sign(built(NEW), KEY), False),
    "the right key in the second block only": (sign(built(OLD), KEY), sign(built(NEW), STRANGER, KEY), False),
}


@pytest.mark.parametrize("case", SIGNED)
def test_a_build_that_checks_signatures_takes_only_its_own_key(case):
    running, new, taken = SIGNED[case]
    world = updating(signed=True)
    world.put(world.slot(R).offset, running)
    update = begun(world)
    carry_out(update.write(new), world.memory)
    if taken:
        update.end()
        carry_out(ota_of(world).set_boot(world.slot(T)), world.memory)
        assert "Signature verified successfully!" in world.console
    else:
        assert refused(update.end) == 0x1503
