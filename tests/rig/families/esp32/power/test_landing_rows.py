"""Landings of an update over HTTPS told by flash, against the model that knows the operation: rows of table 4.2.

Slot 1 holds something before that no image looks like, so that every erase in it shows.
"""

from __future__ import annotations

import pytest

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.otadata import SECTOR, Record, State
from rig.families.esp32.power.landing import Download
from rig.power.landing import Landing
from rig.twin.flash import Tear
from rig.twin.tears import named_tear
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, built
from tests.rig.families.esp32.twin.app.updates import (
    OTADATA,
    SETTINGS,
    T_OFFSET,
    Operation,
    R,
    T,
    invalidates,
    operations_of,
    update_until,
    updating,
)

#: What a server tells that has sent everything, and one that holds back the end.
ENDED, HELD_BACK = frozenset({"sent"}), frozenset({"download"})
Setting = dict[str, object]


def with_something_before(setting: Setting) -> World:
    world = updating(**setting)
    world.put(T_OFFSET, b"\xa5" * len(built(NEW)))
    return world


def with_a_stale_record() -> World:
    """Record 4 is for slot 1, whose image is broken: slot 0 runs, and updates slot 1 once more."""
    world = updating(new="never")
    world.record(1, Record.of(4, State.VALID))
    world.put(T_OFFSET, built(OLD)[:0x4000])
    return world


def landing(world: World, k: int | None, tear: Tear | None = None, phases: frozenset[str] = ENDED) -> Landing:
    """Of an update that is cut before operation `k`, or in it."""

    def shown() -> tuple[bytes, bytes]:
        return world.memory.flash.read(OTADATA, otadata.SIZE), world.in_slot(T, len(built(NEW)))

    records, slot = shown()
    update_until(world, k, tear)
    forgettable = otadata.forgotten_at_begin(otadata.read_records(records), R, 2)
    return Download(records, slot, built(NEW), OTADATA, T_OFFSET, phases, forgettable).locate(*shown())


def operations(world: World) -> tuple[list[Operation], int]:
    """Those of an update that nobody cuts, and the number of the erase that begins the choice."""
    done = operations_of(update_until(world, None))
    return done, done[-2].k


def torn(operation: Operation) -> Tear:
    """What shows: half erased where something is, zeros in a record's sector, which may be blank."""
    erase = "half-erased" if operation.where == "slot" else "all-zero"
    return named_tear(erase if "erase" in operation.kind else "prefix", operation.k)


def check_torn_operations(setting: Setting) -> None:
    done, choice = operations(with_something_before(setting))
    for k in sorted({0, 1, 2, *range(3, choice, 67), choice - 1, choice, choice + 1}):
        one = done[k]
        found = landing(with_something_before(setting), k, torn(one))
        truth = "download" if one.where == "slot" else "forget" if k < choice else "choose"
        assert (found.phase, found.known_by) == (truth, "read-back"), f"cut in {one}"
        if not (setting.get("bulk_erase") and one.where == "slot" and "erase" in one.kind):
            assert abs(found.address - one.address) <= SECTOR, f"cut in {one}"


@pytest.mark.parametrize("case", SETTINGS)
def test_an_operation_that_is_torn_tells_its_phase_and_place(case):
    """Rows 1, 2, 5 and 6. The place is how far the image is written, which a bulk erase says nothing of."""
    check_torn_operations(SETTINGS[case])


def check_the_end(setting: Setting) -> None:
    _, choice = operations(with_something_before(setting))
    held = landing(with_something_before(setting), choice, phases=HELD_BACK)
    assert (held.phase, held.known_by) == ("end", "read-back")
    ended = landing(with_something_before(setting), choice)
    expected = ("choose", "inferred") if invalidates(setting) else ("end", "read-back")
    assert (ended.phase, ended.known_by) == expected


@pytest.mark.parametrize("case", SETTINGS)
def test_when_all_is_written_the_records_or_the_server_tell_that_nothing_is_chosen(case):
    """Rows 3 and 4. A record that was forgotten at the begin looks like one that is erased for the choice."""
    check_the_end(SETTINGS[case])


def check_an_erase_for_the_choice(record: Record, known_by: str) -> None:
    """The other record is `record` when the update begins, and erased when the supply goes."""

    def world() -> World:
        world = with_something_before({})
        world.record(1, record)
        return world

    _, choice = operations(world())
    found = landing(world(), choice + 1)
    assert (found.phase, found.known_by) == ("choose", known_by)


OTHERS = {
    "for the slot that runs: no begin erases it": (Record.of(1, State.VALID), "read-back"),
    "for the slot that is written: its begin may have": (Record.of(2, State.VALID), "inferred"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_an_erased_record_tells_the_choice_where_the_begin_cannot_have_erased_it(case):
    check_an_erase_for_the_choice(*OTHERS[case])


def check_a_download_whose_record_is_forgotten() -> None:
    done, choice = operations(with_something_before({}))
    for k in (3, choice // 2, choice - 1):
        assert done[0].where == "other record"
        found = landing(with_something_before({}), k)
        assert (found.phase, found.known_by) == ("download", "read-back")


def test_a_record_that_was_forgotten_is_no_landing_in_its_erase():
    check_a_download_whose_record_is_forgotten()


def test_an_update_behind_a_stale_record_is_located_like_any_other():
    done, choice = operations(with_a_stale_record())
    assert landing(with_a_stale_record(), choice // 2).phase == "download"
    end = landing(with_a_stale_record(), choice)
    assert (end.phase, end.known_by) == ("end", "read-back"), "both records stand, so nothing is hidden"
    assert landing(with_a_stale_record(), choice, torn(done[choice])).phase == "choose"
    assert landing(with_a_stale_record(), None).phase == "chosen"


# -- planted faults --------------------------------------------------------------------------------------------------


def _download_at_the_end(self: Download, _records: bytes, _damaged: object) -> Landing:
    return Landing("download", self.slot_at + len(self.data), "read-back", "")


def _forgets_whenever_a_record_is_gone(self: Download, records: bytes, slot: bytes) -> Landing:
    if records != self.records_before:
        return Landing("forget", self.records_at + SECTOR, "read-back", "")
    return REAL_LOCATE(self, records, slot)


def _believes_flash_alone(self: Download, _records: bytes, _damaged: object) -> Landing:
    return Landing("end", self.slot_at + len(self.data), "read-back", "")


REAL_LOCATE = Download.locate
#: What is broken, and the check that fails by assertion.
PLANTED = {
    "a twin that forgets no record": (
        (EspBehaviour, "invalidates_at_begin", property(lambda _self: False)),
        check_a_download_whose_record_is_forgotten,
    ),
    "a reader that calls the end a download": (
        (Download, "_all_written", _download_at_the_end),
        lambda: check_the_end(SETTINGS["rollback, 5.4"]),
    ),
    "a reader that takes every record that is gone for the begin": (
        (Download, "locate", _forgets_whenever_a_record_is_gone),
        check_a_download_whose_record_is_forgotten,
    ),
    "a reader that believes an erased record to be the end": (
        (Download, "_all_written", _believes_flash_alone),
        lambda: check_the_end({}),
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_fails_by_assertion(monkeypatch, fault):
    plant, check = PLANTED[fault]
    monkeypatch.setattr(*plant)
    with pytest.raises(AssertionError):
        check()
