"""Named checks of test_mutants about a Core's sweeps: registers that are kept, and the update over the air."""

from __future__ import annotations

from rig.errors import LabFault
from rig.sweep.sweep import ModelSweep
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.sweep.ends import ends_by_phase
from tests.rig.sweep.plans import core_plan

KEPT = {"backup-registers": "kept"}


def what_kept_registers_hold_is_asked(_folder):
    sweep = ModelSweep(core_plan("ota-copy", **KEPT))
    try:
        for _ in sweep.run(jobs=1):
            pass
        assert sweep.prove(200) == 200
    except LabFault as error:
        raise AssertionError(str(error)) from error


def a_request_in_kept_registers_outlives_the_flags(_folder):
    ends = ends_by_phase(ModelSweep(core_plan("ota-copy", **KEPT)))
    assert ends["flags"] == {"new", "old"}
    assert {"dfu", "new", "old"} == ends_by_phase(ModelSweep(core_plan("ota-copy")))["flags"]


def a_register_is_written_whole(_folder):
    sweep = ModelSweep(core_plan("ota-copy", **KEPT))
    for _ in sweep.run(jobs=1):
        pass
    update = sweep.scenario.update
    written = [run.first for run, phase in zip(update.runs, update.phases, strict=True) if phase == "registers"]
    assert written
    torn = [span for span in sweep.progress.spans if span.tear != "before"]
    assert not [k for k in written for span in torn if span.first <= k <= span.last]


def the_image_goes_over_the_air_whole(_folder):
    update = core_plan("cloud").scenario().update
    download = b"".join(run.data for run, phase in zip(update.runs, update.phases, strict=True) if phase == "download")
    assert download.startswith(ROLES["new"].data)


#: What a cut in each window of the EEPROM costs: its plan says the same in words (firmware-fixtures/deep-updates.toml).
WINDOWS = {
    "table": "own-files-lost",
    "calibration": "own-files-lost",
    "address": "own-files-lost",
    "driver": "radio-lost",
    "firmware": "radio-lost",
}


def windows_of_the_eeprom_cost_what_is_unfinished_in_them(_folder):
    sweep = ModelSweep(core_plan("deep-update"))
    for _ in sweep.run(jobs=1):
        pass
    update, ends = sweep.scenario.update, {}
    for run, phase in zip(update.runs, update.phases, strict=True):
        if phase in WINDOWS:
            ends[phase] = {span.settled.became for span in sweep.progress.spans if span.first <= run.first <= span.last}
    assert ends == {window: {cost} for window, cost in WINDOWS.items()}


def a_radio_that_lost_its_files_is_not_as_it_was(_folder):
    sweep = ModelSweep(core_plan("deep-update"))
    for _ in sweep.run(jobs=1):
        pass
    by_itself = {settled.became for settled in sweep.progress.count() if settled.rung == "self"}
    assert by_itself == {"patched", "own-files-lost"}
