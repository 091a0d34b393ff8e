"""Sweeps of an ESP32: what cuts in each phase of a path end in, and every cut compared with a whole start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.errors import Misuse
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
    # What the board would fall back to is written over: one that was given up runs, or the new one in no record's name.
    ("update-on-probation", ()): {
        "probation": {"old", "previous"},
        "download": {"old", "previous"},
        "choose": {"new"},
        "give-up": {"new"},
        "first-boot": {"new"},
        "confirm": {"new"},
    },
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
    update, beyond = sweep.scenario.update, []
    for span in sweep.progress.spans:
        for run, phase in zip(update.runs, update.phases, strict=True):
            k = max(span.first, run.first)
            if k <= min(span.last, run.first + run.count - 1) and span.settled.became not in expected.get(phase, ()):
                beyond.append(str(Capsule.of(sweep.plan, ((k, span.tear),), span.settled)))
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
        ("serial", {}, 10),
        ("serial-rom", {}, 10),
        ("serial-all", {}, 300),
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


def test_a_path_without_an_image_that_it_needs_is_misuse():
    plan = plan_of("esp32", "serial")
    without = {role: image for role, image in plan.images.items() if role != "previous"}
    with pytest.raises(Misuse, match="an image that plays previous"):
        replace(plan, images=without).scenario()


def test_an_image_that_no_slot_has_room_for_is_misuse():
    plan = plan_of("esp32", "https")
    large = replace(plan.images["new"], data=bytes(1700 * 1024 + 1))
    with pytest.raises(Misuse, match="there is room for 1,740,800"):
        replace(plan, images={**plan.images, "new": large}).scenario()


def test_choices_that_make_no_difference_to_a_path_are_none_of_it():
    sweeps = sweeps_of("esp32")
    assert set(sweeps.choices("https")) == {"client", "rollback", "idf"}
    assert set(sweeps.choices("serial")) == {"other"}
    assert sweeps.choices("mark-valid") == {}
