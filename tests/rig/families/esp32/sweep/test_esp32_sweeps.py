"""Sweeps of an ESP32: what cuts in each phase of a path end in, and every cut compared with a whole start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.sweep.capsule import Capsule
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import TEARS
from rig.sweep.family import sweeps_of
from rig.sweep.sweep import ModelSweep
from tests.rig.families.esp32.formats.recordings import esp_image
from tests.rig.sweep.ends import ends_by_phase
from tests.rig.sweep.plans import plan_of
from tests.rig.sweep.whole_starts import answers_of, every_cut

#: Rows 1 to 13 of the cut table (§4.2): a record that is lost brings back what ran before in silence, and one on
#: probation is given up. A cut before the first operation of a phase ends as those in the phase before it.
WITH_ROLLBACK = {"download": {"old"}, "choose": {"old"}, "first-boot": {"old", "new"}, "confirm": {"old"}}
WITHOUT = {"download": {"old"}, "choose": {"old"}}
#: Row 14: what is left without a record is the factory application.
FROM_FACTORY = {
    "download": {"factory"}, "choose": {"factory"}, "first-boot": {"factory", "new"}, "confirm": {"factory"},
}  # fmt: skip
#: The hazard beside the table: a record of the slot is VALID before anything is in it.
STALE = {"download": {"factory"}, "choose": {"new"}}
TABLE = {
    ("second-update", ()): {"forget": {"old"}, **WITH_ROLLBACK},
    ("second-update", (("idf", "5.4"),)): WITH_ROLLBACK,
    ("second-update", (("client", "arduino"),)): WITH_ROLLBACK,
    ("mark-valid", ()): {"first-boot": {"old", "new"}, "confirm": {"old"}},
    ("give-up", ()): {"give-up": {"old"}},
    ("factory-update", ()): FROM_FACTORY,
    ("factory-update", (("rollback", "no"),)): {"download": {"factory"}, "choose": {"factory"}},
    ("factory-fallback", ()): STALE,
    ("factory-fallback", (("rollback", "no"),)): STALE,
    ("factory-fallback", (("client", "arduino"),)): STALE,
    ("factory-chosen", ()): {"records": {"old", "new", "factory"}},
    ("serial", ()): {"erase": {"old", "previous"}, "program": {"previous"}},
    ("serial-rom", ()): {"erase": {"old", "previous"}, "program": {"previous"}},
    ("serial", (("other", "blank"),)): {"erase": {"old", "unbootable"}, "program": {"unbootable"}},
    ("serial-all", ()): {
        "ota_1": {"old"},
        "nvs": {"old"},
        "bootloader": {"old", "unbootable"},
        "table": {"old", "unbootable"},
        "otadata": {"old", "new"},
        "erase": {"old", "unbootable"},
        "program": {"unbootable"},
    },
}


def assert_ends(expected, path, **choices):
    """Every phase ends as it is said; what is beyond that is told with a capsule."""
    sweep = ModelSweep(plan_of("esp32", path, **choices))
    found = ends_by_phase(sweep)
    known = {became for ends in expected.values() for became in ends} | {"new"}
    beyond = [
        str(Capsule.of(sweep.plan, ((span.first, span.tear),), span.settled))
        for span in sweep.progress.spans
        if span.settled.became not in known
    ]
    assert (found, beyond) == (expected, [])


@pytest.mark.parametrize("idf", ["5.5", "5.4", "5.1", "4.4"])
@pytest.mark.parametrize("client", ["https-ota", "arduino"])
@pytest.mark.parametrize(("rollback", "rows"), [("yes", WITH_ROLLBACK), ("no", WITHOUT)])
def test_an_update_ends_in_each_phase_as_the_table_says(client, idf, rollback, rows):
    assert_ends(rows, "https", client=client, rollback=rollback, idf=idf)


@pytest.mark.parametrize(("path", "choices"), TABLE)
def test_a_path_ends_in_each_phase_as_the_table_says(path, choices):
    assert_ends(TABLE[path, choices], path, **dict(choices))


def test_every_path_is_in_the_table():
    assert {path for path, _ in TABLE} | {"https"} == set(sweeps_of("esp32").paths)


@pytest.mark.parametrize(
    ("path", "choices", "starts"),
    [
        ("https", {}, 20),
        ("https", {"client": "arduino"}, 20),
        ("second-update", {}, 20),
        ("mark-valid", {}, 15),
        ("factory-fallback", {}, 10),
        pytest.param("serial", {}, 10, marks=pytest.mark.long),
        pytest.param("serial-rom", {}, 10, marks=pytest.mark.long),
        pytest.param("serial-all", {}, 300, marks=pytest.mark.long),
    ],
)
def test_every_cut_ends_as_a_board_that_is_started_whole(path, choices, starts):
    scenario = plan_of("esp32", path, **choices).scenario()
    found = ChunkSweep(scenario, TEARS, seed=0).sweep_all()
    assert answers_of(found.spans) == every_cut(scenario, TEARS, seed=0)
    assert found.starts < starts


@pytest.mark.long
@pytest.mark.parametrize("path", ["serial", "serial-rom"])
def test_a_megabyte_over_the_serial_port_takes_three_starts(path):
    plan = plan_of("esp32", path)
    data = esp_image("esp32", {"seed": "megabyte", "version": "1.0", "drom": 1 << 19, "irom": 1 << 19})
    new = replace(plan.images["new"], data=data)
    scenario = replace(plan, images={**plan.images, "new": new}).scenario()
    found = ChunkSweep(scenario, TEARS, seed=0).sweep_all()
    assert (found.points > 12_000, found.starts) == (True, 3)


@pytest.mark.parametrize("path", sorted({path for path, _ in TABLE} - {"give-up", "factory-chosen"}))
def test_an_update_that_is_not_cut_runs_the_new_application(path):
    scenario = plan_of("esp32", path).scenario()
    end = scenario.update.operations
    ((span,),) = [ChunkSweep(scenario, (), seed=0).sweep(end, end + 1).spans]
    assert span.settled == ("new", "self")


def test_choices_that_make_no_difference_to_a_path_are_none_of_it():
    sweeps = sweeps_of("esp32")
    assert set(sweeps.choices("https")) == {"client", "rollback", "idf"}
    assert set(sweeps.choices("serial")) == {"other"}
    assert sweeps.choices("mark-valid") == {}
