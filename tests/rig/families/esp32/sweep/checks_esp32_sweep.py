"""Named checks of an ESP32's sweeps: what the planted faults beside them must not get past."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from rig.errors import LabFault
from rig.families.esp32.formats.image import DIGEST_SIZE
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import BEFORE, TEARS, Flash, contents_at
from rig.sweep.scenario import Scenario, Settled
from rig.sweep.sweep import settle_whole
from tests.rig.families.esp32.sweep.rows import LOST, after, before, the_end, within
from tests.rig.sweep.plans import MANIFEST, plan_of
from tests.rig.sweep.whole_starts import Answers, answers_of


def the_second_stage_counts(_folder):
    _is_swept_right(_scenario("serial-all"), "bootloader")


def the_partition_table_counts(_folder):
    _is_swept_right(_scenario("serial-all"), "table")


def both_records_count(_folder):
    """One is written by an update, the other by the update after it."""
    _is_swept_right(_scenario("mark-valid"), "first-boot", "confirm")
    _is_swept_right(_scenario("factory-chosen"), "records")


def an_image_counts_that_is_half_written(_folder):
    """One that is whole but for its last bytes, too."""
    _is_swept_right(_scenario("serial"), "erase", "program")


def two_images_of_the_same_shape_are_told_apart(_folder):
    """To a second stage they are the same, down to their checksums: what runs is another application."""
    old = MANIFEST.roles("esp32")["old"]
    data = bytearray(old.data[:-DIGEST_SIZE])
    for at in (-0x100, -0x101):
        data[at] ^= 0x01
    other = replace(old, name="other", data=bytes(data) + hashlib.sha256(data).digest())
    _is_swept_right(_scenario("serial", new=other), "program")


def an_image_that_is_half_written_takes_few_starts(_folder):
    """Every cut in it changes what its checksum comes to, and nothing else."""
    assert ChunkSweep(_scenario("serial"), TEARS, 0).sweep_all().starts < 10


def an_image_that_was_written_whole_runs(_folder):
    scenario = _scenario("serial")
    assert {after(scenario, cut) for cut in the_end(scenario.update)} == {("new", "VALID", LOST)}


def an_update_that_crashes_is_given_up(_folder):
    """It starts, and it is not what the board becomes."""
    scenario = _scenario("mark-valid", new=MANIFEST.roles("esp32")["crashing"])
    assert after(scenario, (0, BEFORE)) == ("old", "VALID", "ABORTED")


def a_board_that_restarts_for_ever_is_a_loop(_folder):
    """Without rollback nobody takes back what crashes at once, or hangs."""
    for role, ended in (("crashing", "loop"), ("hanging", "hang")):
        plan = plan_of("esp32", "https", rollback="no")
        images = {**plan.images, "new": MANIFEST.roles("esp32")[role]}
        try:
            scenario = replace(plan, images=images).scenario()
            flash = Flash(scenario.memory(), scenario.update, 0)
            found = settle_whole(scenario, contents_at(flash, scenario.update, scenario.update.operations, BEFORE))
        except LabFault as error:
            raise AssertionError(error.message) from error
        assert found == Settled(ended, "reflash")


def a_rollback_record_is_forgotten_by_the_next_update(_folder):
    scenario = _scenario("second-update")
    update = scenario.update
    assert update.phases[0] == "forget"
    assert [after(scenario, cut) for cut in before("forget")(update)] == [("old", "VALID", "ABORTED")]
    assert {after(scenario, cut) for cut in within("forget")(update)} == {("old", "VALID", LOST)}


def a_record_of_a_broken_slot_starts_an_update_that_nobody_chose(_folder):
    scenario = _scenario("factory-fallback")
    assert [after(scenario, cut) for cut in before("choose")(scenario.update)] == [("new", "VALID", LOST)]


def a_factory_application_takes_its_first_update_without_a_record(_folder):
    scenario = _scenario("factory-update")
    assert {after(scenario, cut) for cut in within("confirm")(scenario.update)} == {("factory", LOST, LOST)}


def an_update_on_probation_takes_away_what_a_board_falls_back_to(_folder):
    """What runs then is an application that was given up, and no record says so."""
    scenario = _scenario("update-on-probation")
    update = scenario.update
    assert [after(scenario, cut) for cut in before("probation")(update)] == [("previous", "VALID", "PENDING_VERIFY")]
    assert {after(scenario, cut) for cut in within("download")(update)} == {("previous", "VALID", "ABORTED")}


def a_board_that_was_written_whole_starts_once_more(_folder):
    """That start writes into otadata what runs, and may be cut like the rest."""
    scenario = _scenario("serial-all")
    *_, last = scenario.update.runs
    assert (last.kind, len(last.data), scenario.update.phases[-1]) == ("program", 32, "otadata")


def _scenario(path: str, **images) -> Scenario:
    plan = plan_of("esp32", path)
    return replace(plan, images={**plan.images, **images}).scenario()


def _is_swept_right(scenario: Scenario, *phases: str) -> None:
    """Some cuts of each phase, and the end, are compared with boards that are started whole."""
    update, flash = scenario.update, Flash(scenario.memory(), scenario.update, 0)
    cuts = [cut for phase in phases for cut in (*before(phase)(update), *within(phase)(update))]
    cuts += the_end(update)
    whole = {(tear, k): settle_whole(scenario, contents_at(flash, update, k, tear)) for k, tear in cuts}
    found = _swept(scenario)
    assert {cut: found.get(cut) for cut in whole} == whole


def _swept(scenario: Scenario) -> Answers:
    """What a sweep says; nothing where it notices itself that something is not right."""
    try:
        return answers_of(ChunkSweep(scenario, TEARS, 0).sweep_all().spans)
    except LabFault:
        return {}
