"""What a running ESP32 application writes when it updates, and what starts after a cut: reference/esp32.md §4.1, §4.2.

Power fails at the very flash operation, and the second stage itself says what starts then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from esp_app_board import NEW, OLD, World, built, carry_out, https

from rig.firmware.esp_signing import make_key, sign
from rig.formats import esp_image, otadata
from rig.formats.esp_chip import ESP32
from rig.formats.otadata import Record, State
from rig.twin.esp32.app import ota as ota_module
from rig.twin.esp32.app.esp_error import EspError
from rig.twin.esp32.app.ota import SEQUENTIAL, Erase, Ota
from rig.twin.esp32.app.resume_counter import ResumeCounter
from rig.twin.flash import PowerLost, Tear
from rig.twin.tears import named_tear

SECTOR, BLOCK, OTADATA = 0x1000, 0x10000, 0xF000
R, T = 0, 1
T_OFFSET = 0x1D0000
#: Sectors of otadata: that of the running slot's record, and the other.
RUNNING, OTHER = OTADATA, OTADATA + SECTOR


def updating(*, rollback: bool = True, idf: str = "5.5", new: str = "at-start", **fields: object) -> World:
    """A board about to update: slot 0 runs by record 3 in sector 0, record 2 in sector 1 is for slot 1."""
    world = World(
        https(rollback=rollback, idf=idf, **fields),
        new=https(rollback=rollback, idf=idf, confirms=new, checks_at_boot=False),
    )
    state = State.VALID if rollback else State.UNDEFINED
    world.record(0, Record.of(3, state))
    world.record(1, Record.of(2, state))
    return world


def update_until(world: World, k: int | None, tear: Tear | None = None) -> World:
    """Update with the supply failing at operation `k`; then power returns, and whatever starts runs for a while."""
    world.power_on()
    world.memory.journal.fuse = None if k is None else (k, tear)
    world.run(60, until="restart:" if k is None else "power-off")
    return world


@dataclass(frozen=True)
class Operation:
    """One flash operation of an update: its number, kind and address."""

    k: int
    kind: str
    address: int

    @property
    def where(self) -> str:
        return "slot" if self.address >= 0x1D0000 else "running record" if self.address < OTHER else "other record"


def operations(world: World) -> list[Operation]:
    """Every operation of an update that nothing disturbs, up to the restart."""
    return operations_of(update_until(world, None))


def operations_of(world: World) -> list[Operation]:
    """Every operation since power-on."""
    journal = world.memory.journal
    return [Operation(k, run.kind, run.address) for k in range(journal.next) for run in [journal.operation(k)]]


def started(world: World) -> int:
    """Which slot's application starts."""
    running = world.boot()
    assert running in ("ota_0", "ota_1")
    return int(running[-1])


SETTINGS: dict[str, dict[str, object]] = {
    "rollback, 5.5": {},
    "rollback, 5.4": {"idf": "5.4"},
    "no rollback, 5.5": {"rollback": False},
    "no rollback, 5.4": {"rollback": False, "idf": "5.4"},
    "rollback, 5.5, bulk": {"bulk_erase": True},
    "no rollback, 5.4, bulk": {"rollback": False, "idf": "5.4", "bulk_erase": True},
    "rollback, 5.10": {"idf": "5.10"},
}


def invalidates(setting: dict[str, object]) -> bool:
    return setting.get("rollback", True) is True and setting.get("idf", "5.5") in ("5.5", "5.10")


# -- the order of operations -----------------------------------------------------------------------------------------


def check_order(setting: dict[str, object]) -> None:
    done = operations(updating(**setting))
    slot = [at for at, one in enumerate(done) if one.where == "slot"]
    first, last = slot[0], slot[-1]
    begins = [(one.kind, one.where) for one in done[:first]]
    forgets = ("erase", "other record")
    if setting.get("bulk_erase"):
        erased = [one for one in done if one.where == "slot" and "erase" in one.kind]
        blocks, rest = divmod(len(built(NEW)), BLOCK)
        assert [one.kind for one in erased] == ["block-erase"] * blocks + ["erase"] * -(-rest // SECTOR)
        assert [one.address for one in erased[blocks:]] == [
            0x1D0000 + at for at in range(blocks * BLOCK, len(built(NEW)), SECTOR)
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


@pytest.mark.parametrize("case", SETTINGS)
def test_flash_is_worked_on_in_the_order_of_a_real_update(case):
    """Rows 2 and 4: what begin erases and when, and nothing between the last byte and the choice of the slot."""
    check_order(SETTINGS[case])


def check_arrival(setting: dict[str, object]) -> None:
    world = update_until(updating(**setting), None)
    assert world.in_slot(T, len(built(NEW))) == built(NEW)
    expected = State.NEW if setting.get("rollback", True) else State.UNDEFINED
    record = world.records[1]
    assert (record.seq, record.state, record.crc) == (4, expected, otadata.record_crc(4))
    assert world.records[0].seq == 3


@pytest.mark.parametrize("case", SETTINGS)
def test_an_update_that_nothing_disturbs_arrives_whole_and_is_chosen(case):
    check_arrival(SETTINGS[case])


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
    assert esp_image.verify(world.memory.flash.peek, slot.offset, slot.size, ESP32).refused is None
    assert otadata.active(world.records) == 0


def _first_bytes(count: int) -> Tear:
    return lambda _kind, old, new: new[:count] + old[count:]


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
        assert started(update_until(updating(**SETTINGS[case]), program, _first_bytes(count))) == R


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


def confirming() -> World:
    """A new image in its first start; it confirms itself after 5 seconds."""
    world = update_until(updating(new=5), None)  # type: ignore[arg-type]
    world.run(3, until="start:ota_1")
    return world


def check_row_11(tear: Tear | None) -> None:
    """Between the erase and the rewrite of its record: the record is lost, and the old one starts."""
    world = confirming()
    world.memory.journal.fuse = (world.memory.journal.next + 1, tear)
    world.run(20, until="power-off")
    assert otadata.active(world.records) == 0
    assert started(world) == R


@pytest.mark.parametrize("tear", [None, _first_bytes(28)], ids=["before", "in it"])
def test_row_11_a_cut_within_the_confirmation_brings_the_old_one_back(tear):
    check_row_11(tear)


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


def stale(k: int | None = None) -> World:
    """Record 4 is for slot 1, whose image is broken: slot 0 runs, and updates slot 1 once more."""
    world = updating(new="never")
    world.record(1, Record.of(4, State.VALID))
    world.put(world.slot(T).offset, b"\xe9broken")
    return update_until(world, k)


def test_the_stale_record_starts_an_image_that_nobody_chose_and_nobody_watches():
    chosen = next(one for one in operations_of(stale()) if one.where == "other record")
    world = stale(chosen.k)
    assert [started(world), started(world)] == [T, T]
    assert world.records[1] == Record.of(4, State.VALID)


def test_the_stale_record_is_tried_first_while_its_slot_is_being_written():
    done = operations_of(stale())
    world = stale(done[len(done) // 2].k)
    assert started(world) == R
    assert "OTA app partition slot 1 is not bootable" in world.console


def test_power_that_fails_says_nothing_on_the_network():
    """No goodbye in TLS, no FIN: what hangs up after a cut is the board that lost its memory of it."""
    world = update_until(updating(), 40)
    assert world.orders[-1] == "vanish"
    assert "close" not in world.orders


def check_counter(k: int, tear: Tear | None) -> None:
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


@pytest.mark.parametrize("tear", ["none", "prefix", "random-subset", "half-erased", "all-zero"])
@pytest.mark.parametrize("k", [1, 2, 3, 127, 128, 129, 130, 131, 200, 257, 258, 259, 260, 300])
def test_what_is_written_is_remembered_over_a_cut_but_for_the_last_step(k, tear):
    """Also where one of the two sectors is full, and the other is erased."""
    check_counter(k, named_tear(tear, k))


# -- refusals --------------------------------------------------------------------------------------------------------


def ota_of(world: World, running: int = R) -> Ota:
    return Ota(world.board, world.slot(running), world.behaviour)


def begun(world: World, erase: Erase | None = SEQUENTIAL):
    ota = ota_of(world)
    return carry_out(ota.begin(world.slot(T), erase), world.memory)


def refused(call: Callable[[], object]) -> int:
    with pytest.raises(EspError) as raised:
        call()
    return raised.value.code


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
    assert world.work == [("erase", 0x1D0000, SECTOR)]


def test_a_broken_image_is_not_chosen():
    world = updating()
    update = begun(world)
    carry_out(update.write(built(NEW)[:-1] + b"\0"), world.memory)
    assert refused(update.end) == 0x1503
    assert "New image failed verification" in world.console


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


# -- planted faults --------------------------------------------------------------------------------------------------

REAL_CHOOSE, REAL_PERFORM = otadata.choose_slot, ota_module.perform


def _same_sequence(monkeypatch):
    def choose(records, slot, slots, state):
        rewrite = REAL_CHOOSE(records, slot, slots, state)
        return replace(rewrite, record=Record.of(rewrite.record.seq - 2, state))

    monkeypatch.setattr(otadata, "choose_slot", choose)


def _running_sector(monkeypatch):
    def choose(records, slot, slots, state):
        return replace(REAL_CHOOSE(records, slot, slots, state), sector=otadata.active(records) or 0)

    monkeypatch.setattr(otadata, "choose_slot", choose)


def _erases_nothing(monkeypatch):
    monkeypatch.setattr(ota_module, "perform", lambda runs: REAL_PERFORM(r for r in runs if r.kind == "program"))


def _never_forgets(monkeypatch):
    monkeypatch.setattr(otadata, "forgotten_at_begin", lambda *_: None)


def _confirms_without_erasing(monkeypatch):
    def rewrite(self, rewrite):
        address = OTADATA + rewrite.sector * SECTOR
        yield from REAL_PERFORM(self.board.memory.programming(address, rewrite.record.pack()))
        yield from REAL_PERFORM(self.board.memory.programming(address, rewrite.record.pack()))

    monkeypatch.setattr(Ota, "_rewrite", rewrite)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = {
    "the new record has an old sequence number": (_same_sequence, lambda: check_arrival({})),
    "the running slot's record is overwritten": (_running_sector, lambda: check_arrival({})),
    "nothing is erased": (_erases_nothing, lambda: check_order({})),
    "5.5 does not forget the rollback record": (_never_forgets, lambda: check_order({})),
    "a record is rewritten without an erase": (_confirms_without_erasing, lambda: check_row_11(None)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault, monkeypatch):
    plant, check = FAULTS[fault]
    check()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
