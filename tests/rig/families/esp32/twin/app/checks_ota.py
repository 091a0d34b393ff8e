"""Named checks of test_mutants about an ESP32's application: what its updates write, and in which order."""

from __future__ import annotations

import contextlib

from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.otadata import State
from rig.families.esp32.twin.app.resume_counter import ResumeCounter
from rig.twin.flash import PowerLost, Tear
from tests.rig.families.esp32.twin.app.app_board import (
    FLEET,
    NEW,
    World,
    arduino,
    built,
    carry_out,
    checked,
    fleet,
    https,
    serves,
    world_of,
)
from tests.rig.families.esp32.twin.app.app_server import answer, issued
from tests.rig.families.esp32.twin.app.updates import (
    BLOCK,
    OTHER,
    SECTOR,
    T_OFFSET,
    R,
    T,
    begun,
    confirming,
    invalidates,
    operations,
    ota_of,
    refused,
    started,
    update_until,
    updating,
)

# -- esp_ota_ops -------------------------------------------------------------------------------------------------------


def the_order_of_an_update(setting: dict[str, object]) -> None:
    done = operations(updating(**setting))
    slot = [at for at, one in enumerate(done) if one.where == "slot"]
    assert slot, "nothing was written into the slot"
    first, last = slot[0], slot[-1]
    begins = [(one.kind, one.where) for one in done[:first]]
    forgets = ("erase", "other record")
    if setting.get("bulk_erase"):
        erased = [one for one in done if one.where == "slot" and "erase" in one.kind]
        blocks, rest = divmod(len(built(NEW)), BLOCK)
        assert [one.kind for one in erased] == ["block-erase"] * blocks + ["erase"] * -(-rest // SECTOR)
        assert [one.address for one in erased[blocks:]] == [
            T_OFFSET + at for at in range(blocks * BLOCK, len(built(NEW)), SECTOR)
        ]
        after = done[len(erased)]
        assert ((after.kind, after.where) == forgets) == invalidates(setting)
        assert not begins
    else:
        assert begins == ([forgets] if invalidates(setting) else [])
        for one in done:
            if one.kind == "program" and one.where == "slot" and one.address % SECTOR == 0:
                before = done[one.k - 1]
                assert (before.kind, before.address) == ("erase", one.address)
    assert [(one.kind, one.address) for one in done[last + 1 :]] == [("erase", OTHER), ("program", OTHER)]


def an_update_is_worked_on_in_order(_folder):
    the_order_of_an_update({})


def the_arrival_of_an_update(setting: dict[str, object]) -> None:
    world = update_until(updating(**setting), None)
    assert world.in_slot(T, len(built(NEW))) == built(NEW)
    expected = State.NEW if setting.get("rollback", True) else State.UNDEFINED
    record = world.records[1]
    assert (record.seq, record.state, record.crc) == (4, expected, otadata.record_crc(4))
    assert world.records[0].seq == 3


def an_update_arrives_and_is_chosen(_folder):
    the_arrival_of_an_update({})


def a_cut_within_the_confirmation(tear: Tear | None) -> None:
    """Between the erase and the rewrite of its record: the record is lost, and the old one starts."""
    world = confirming()
    world.memory.journal.fuse = (world.memory.journal.next + 1, tear)
    world.run(20, until="power-off")
    assert otadata.active(world.records) == 0
    assert started(world) == R


def a_cut_within_the_confirmation_loses_the_record(_folder):
    a_cut_within_the_confirmation(None)


def a_broken_image_leaves_the_records_alone(_folder):
    world = updating()
    world.put(T_OFFSET, built(NEW)[:-1] + b"\0")
    before = world.records
    assert refused(lambda: carry_out(ota_of(world).set_boot(world.slot(T)), world.memory)) == 0x1503
    assert world.records == before


def a_broken_image_is_not_chosen(_folder):
    world = updating()
    update = begun(world)
    carry_out(update.write(built(NEW)[:-1] + b"\0"), world.memory)
    assert refused(update.end) == 0x1503
    assert "New image failed verification" in world.console


def power_that_fails_says_nothing_on_the_network(_folder):
    """No goodbye in TLS, no FIN: what hangs up after a cut is the board that lost its memory of it."""
    world = update_until(updating(), 40)
    assert world.orders[-1] == "vanish"
    assert "close" not in world.orders


def the_counter_over_a_cut(k: int, tear: Tear | None) -> None:
    """Three hundred steps, a cut at operation `k` of them, and another look."""
    world = World(https(resumption=True))
    world.put(0x9000, b"\x5a" * 0x6000)
    counter = ResumeCounter(ota_of(world), T_OFFSET)
    world.memory.journal.fuse = (k, tear)
    stored = 0
    with contextlib.suppress(PowerLost):
        for value in range(1024, 300 * 1024, 1024):
            carry_out(counter.store(value), world.memory)
            stored = value
    again = ResumeCounter(ota_of(world), T_OFFSET)
    assert again.value in (stored, stored + 1024)
    carry_out(again.store(7777), world.memory)
    assert ResumeCounter(ota_of(world), T_OFFSET).value == 7777
    assert ResumeCounter(ota_of(world), T_OFFSET + 0x10000).value == 0


def a_cut_loses_no_more_than_the_last_step(_folder):
    the_counter_over_a_cut(260, None)


# -- Arduino -----------------------------------------------------------------------------------------------------------


def updater_writes_the_first_bytes_last(_folder):
    world = world_of(arduino())
    assert checked(world) == "installed"
    programs = [(address, size) for kind, address, size in world.work if kind == "program" and address >= T_OFFSET]
    assert programs[0][0] == T_OFFSET + 16
    assert programs[-1] == (T_OFFSET, 16)


def updater_erases_blocks_and_then_sectors(_folder):
    world = world_of(arduino())
    checked(world)
    erased = [(kind, address) for kind, address, _size in world.work if "erase" in kind and address >= T_OFFSET]
    blocks, rest = divmod(len(built(NEW)), BLOCK)
    assert erased[:blocks] == [("block-erase", T_OFFSET + at * BLOCK) for at in range(blocks)]
    tail = T_OFFSET + blocks * BLOCK
    assert erased[blocks:] == [("erase", tail + at * SECTOR) for at in range(-(-rest // SECTOR))]


# -- Deploy the Fleet --------------------------------------------------------------------------------------------------

#: A server that says 404 to everybody, first by the first pin, then by the second.
BUNDLE_IDS: dict[str, list[str]] = {
    "1.0.4": [],
    "1.0.6": ["/p?v=1", "/p?v=1"],
    "1.0.7": ["/p?v=1", "/p?v=1&cb=1", "/p?v=1", "/p?v=1&cb=1"],
    "1.0.8": ["/p?v=1&cb=1"] * 4,
}


def the_paths_a_release_asks(library: str) -> None:
    world = serves(fleet(library, lambda _: answer(404)), ota="isrg-root-x1", ota9="dtf-root-x1")
    world.hosts[FLEET] = issued("isrg-root-x1", FLEET)
    assert checked(world) == "failed"
    seen = [asked.path for asked in world.asked]
    world.hosts[FLEET] = issued("cloudflare-origin-ca", FLEET)
    world.run(7200, until="checked:")
    assert [*seen, *(asked.path for asked in world.asked[len(seen) :])] == BUNDLE_IDS[library]


def release_1_0_7_tells_its_bundle_at_the_last_attempt_only(_folder):
    the_paths_a_release_asks("1.0.7")


def a_release_takes_the_servers_of_its_pins_alone(_folder):
    for root, taken in (("isrg-root-x1", True), ("lets-encrypt-r3", False), ("bundle", False)):
        assert (checked(serves(fleet("1.0.6"), ota=root)) == "installed") == taken, root


def an_error_that_is_kept_makes_two_check_ins_of_one(_folder):
    """Both endpoints fail once; then the primary is sound and says 304, and the other one is asked all the same."""
    world = serves(fleet("2.0.2", lambda _: answer(304)), ota2="isrg-root-x1", ota4="isrg-root-x1")
    assert checked(world) == "failed"
    assert not world.asked
    serves(world, ota2="bundle", ota4="dtf-root-x1")
    assert checked(world, 7200) == "no-update"
    assert [asked.host[:4] for asked in world.asked] == ["ota2", "ota4"]
