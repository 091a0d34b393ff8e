"""The reference's cut table (§4.2) row by row: what a board becomes, and what its records say after the next start."""

from __future__ import annotations

import pytest

from rig.families.esp32.sweep.built import Built
from tests.rig.families.esp32.sweep.rows import (
    LOST,
    after,
    before,
    not_yet,
    started,
    the_end,
    torn,
    torn_record,
    within,
)
from tests.rig.sweep.plans import plan_of

#: Path, choices, cuts, what the board becomes, and its records then.
WITH_ROLLBACK = {
    "1 the slot is erased or written": ("https", {}, within("download"), "old", "VALID", LOST),
    "1 as an Arduino client does it": ("https", {"client": "arduino"}, within("download"), "old", "VALID", LOST),
    "2 the rollback record is forgotten at begin": ("second-update", {}, within("forget"), "old", "VALID", LOST),
    "2 which releases before 5.5 do not do": (
        "second-update", {"idf": "5.4"}, within("download"), "old", "VALID", "ABORTED"),
    "2 nor does an Arduino client": (
        "second-update", {"client": "arduino"}, within("download"), "old", "VALID", "ABORTED"),
    "3 and 4 the slot is whole and not chosen": ("https", {}, before("choose"), "old", "VALID", LOST),
    "5 the new record's sector is erased": ("https", {}, within("choose", "erase"), "old", "VALID", LOST),
    "5 which held an older record": (
        "second-update", {"idf": "5.4"}, within("choose", "erase"), "old", "VALID", LOST),
    "6 the new record is torn": ("https", {}, within("choose", "program"), "old", "VALID", LOST),
    "8 the slot is chosen and was not started": ("https", {}, before("first-boot"), "new", "VALID", "VALID"),
    "9 NEW becomes PENDING": ("https", {}, within("first-boot"), "old", "VALID", LOST),
    "10 the new application is on probation": ("https", {}, before("confirm"), "old", "VALID", "ABORTED"),
    "11 PENDING becomes VALID": ("https", {}, within("confirm"), "old", "VALID", LOST),
    "12 it is confirmed": ("https", {}, the_end, "new", "VALID", "VALID"),
    "13 PENDING becomes ABORTED": ("give-up", {}, within("give-up"), "old", "VALID", LOST),
    "13 and before that": ("give-up", {}, before("give-up"), "old", "VALID", "ABORTED"),
    "14 both records are lost, with a factory application": (
        "factory-update", {}, within("confirm"), "factory", LOST, LOST),
    "15 the first record is being erased": ("factory-chosen", {}, torn(0), "new", LOST, "VALID"),
    "15 it is erased, and the second one is not": ("factory-chosen", {}, not_yet(1), "new", LOST, "VALID"),
    "15 the second one is being erased": ("factory-chosen", {}, torn(1), "factory", LOST, LOST),
}  # fmt: skip
WITHOUT_ROLLBACK = {
    "1 the slot is erased or written": ("https", within("download"), "old", "VALID", LOST),
    "3 and 4 the slot is whole and not chosen": ("https", before("choose"), "old", "VALID", LOST),
    "5 the new record's sector is erased": ("https", within("choose", "erase"), "old", "VALID", LOST),
    "6 the new record is torn": ("https", within("choose", "program"), "old", "VALID", LOST),
    "8, 10 and 12 it is chosen": ("https", the_end, "new", "VALID", "UNDEFINED"),
    "14 both records are lost, with a factory application": (
        "factory-update", within("choose"), "factory", LOST, LOST),
}  # fmt: skip


@pytest.mark.parametrize("row", WITH_ROLLBACK)
def test_a_row_of_the_table_comes_out(row):
    path, choices, cuts, *ends = WITH_ROLLBACK[row]
    scenario = plan_of("esp32", path, **choices).scenario()
    assert {after(scenario, cut) for cut in cuts(scenario.update)} == {tuple(ends)}


@pytest.mark.parametrize("row", WITHOUT_ROLLBACK)
def test_a_row_of_the_table_comes_out_without_rollback(row):
    path, cuts, *ends = WITHOUT_ROLLBACK[row]
    scenario = plan_of("esp32", path, rollback="no").scenario()
    assert {after(scenario, cut) for cut in cuts(scenario.update)} == {tuple(ends)}


@pytest.mark.parametrize("rollback", ["yes", "no"])
@pytest.mark.parametrize(("state", "told"), [("ffffffff", "UNDEFINED"), ("0000ffff", "ffff0000")])
def test_row_7_a_record_whose_state_is_torn_starts_the_new_application_unmonitored(rollback, state, told):
    scenario = plan_of("esp32", "https", rollback=rollback).scenario()
    torn_there = torn_record(scenario, "choose", bytes.fromhex(state))
    assert started(scenario, torn_there) == ("new", "VALID", told)


def test_row_14_without_a_factory_application_the_first_slot_is_tried_and_recorded():
    """Only the new application has a record, as after a rollback record that was forgotten."""
    plan = plan_of("esp32", "https")
    built = Built.of(plan.choices, plan.images)
    memory = built.flash({}, {1: plan.images["new"].data})
    assert started(plan.scenario(), memory.snapshot()) == ("old", "VALID", LOST)


def test_a_record_of_a_broken_slot_starts_the_update_of_it_before_it_is_chosen_and_unmonitored():
    """The hazard beside the table (§4.2): nothing but a whole slot is needed, for its old record is VALID already."""
    scenario = plan_of("esp32", "factory-fallback").scenario()
    assert {after(scenario, cut) for cut in within("download")(scenario.update)} == {("factory", "VALID", LOST)}
    assert after(scenario, next(before("choose")(scenario.update))) == ("new", "VALID", LOST)
