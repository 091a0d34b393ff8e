"""Sweeps of a Core: what genuine bootloaders did after recorded cuts, and the reference's table row by row."""

from __future__ import annotations

from functools import cache

import pytest

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.sweep.scenarios import CoreSweeps
from rig.families.spark_core.twin.boot_once import settle
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.memory import CoreMemory
from rig.sweep.chunk import ChunkSweep
from rig.sweep.scenario import Scenario, Settled, Update, checked
from rig.sweep.sweep import ModelSweep
from tests.boards.long_cases import some_always
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.families.spark_core.twin.recorded_starts import Recording
from tests.rig.families.spark_core.twin.recordings import image
from tests.rig.sweep.ends import ends_by_phase
from tests.rig.sweep.plans import core_plan

RECORDINGS = {
    "sparkA_cuts": "a2013",
    "sparkA2014_cuts": "a",
    "spark_cuts": "b",
    "sparkC_cuts": "c",
}


def identify_by_content(recording: Recording, good: list[str]):
    """What is known of an application area, by comparing it: a sweep asks for every half-word of an image."""
    known = {name: image(recipe) for name, recipe in recording.vectors["images"].items()}

    def identify(area: bytes) -> Identity:
        unknown = "erased" if area == b"\xff" * len(area) else "mixed"
        name = next((name for name, data in known.items() if data == area), unknown)
        return Identity(name, "ok" if name in good else None)

    return identify


def swept(recording: Recording, name: str) -> ChunkSweep:
    """A sweep of one recorded scenario on boards that know the recording's images."""
    case = recording.vectors["scenarios"][name]
    core, identify = recording.begin(case), identify_by_content(recording, case["good"])
    before = core.memory.snapshot()
    settle(core, hold_ms=case["hold_ms"])
    runs = tuple(core.memory.journal.runs)

    def start(memory):
        board = Core(memory, identify, generation=recording.generation, time_scale=0)
        board.power_on(0)
        return Settled(settle(board), board.application().name)

    update = checked(Update(before, runs, ("",) * len(runs)))
    return ChunkSweep(Scenario("spark-core", CoreMemory, update, start), (), seed=0)


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_cut_is_on_the_map_where_the_genuine_bootloader_went(name):
    recording, wrong = Recording(name, RECORDINGS[name]), []
    sweep_of = cache(lambda scenario: swept(recording, scenario))
    for case in recording.vectors["vectors"]:
        found = sweep_of(case["scenario"]).settle(recording.cut(case).memory.snapshot())
        if found != (case["result"]["outcome"], case["result"]["app"]):
            wrong.append(f"{case['id']}: {found} for {case['result']['outcome']} {case['result']['app']}")
    assert wrong == []


#: What cuts in each phase of a path end in, by generation (§3.4 with Appendix E). A cut before the first operation of a
#: phase, and one behind flags that are whole again, end as those in the phase beside it.
TABLE = {
    ("ota-copy", "a"): {"backup": {"new"}, "erase": {"old"}, "program": {"old"}, "flags": {"dfu", "new", "old"}},
    ("ota-copy", "b"): {"backup": {"new"}, "erase": {"old"}, "program": {"old"}, "flags": {"dfu", "new", "old"}},
    ("ota-copy", "c"): {"backup": {"new"}, "erase": {"old"}, "program": {"old"}, "flags": {"new", "old"}},
    ("cloud", "b"): {
        "download": {"old"},
        "backup": {"new"},
        "erase": {"old"},
        "program": {"old"},
        "flags": {"dfu", "new", "old"},
    },
    ("cloud-fast", "c"): {
        "download": {"old"},
        "backup": {"new"},
        "erase": {"old"},
        "program": {"old"},
        "flags": {"new", "old"},
    },
    ("dfu", "a2013"): {"erase": {"dfu", "old"}, "program": {"dfu", "hang", "new"}, "flags": {"dfu", "new"}},
    ("dfu", "a"): {"erase": {"dfu", "old"}, "program": {"dfu", "hang", "new"}, "flags": {"dfu", "new"}},
    ("dfu", "b"): {"erase": {"dfu", "old"}, "program": {"dfu", "new", "previous"}, "flags": {"dfu", "new"}},
    ("dfu", "c"): {"erase": {"factory", "old"}, "program": {"factory", "new", "previous"}, "flags": {"new", "old"}},
    ("server-key", "b"): {"external": {"old"}},
    ("server-key", "c"): {"external": {"old"}, "flags": {"old"}},
    ("factory-reset", "b"): {"erase": {"factory"}, "program": {"factory"}, "flags": {"dfu", "factory"}},
    ("factory-reset", "c"): {"erase": {"factory"}, "program": {"factory"}, "flags": {"factory", "old"}},
}
#: Each application area that comes up is asked what it is: some seconds.
SLOW_TABLE = {
    ("ota-copy", "a2013"): {"backup": {"new"}, "erase": {"new"}, "program": {"new"}, "flags": {"dfu", "new"}},
    ("factory-button", "a"): {
        "backup": {"old"},
        "erase": {"dfu", "old"},
        "program": {"dfu", "factory", "hang"},
        "flags": {"dfu", "factory", "old"},
    },
    ("factory-button", "b"): {
        "erase": {"dfu", "old"},
        "program": {"dfu", "factory", "previous"},
        "flags": {"dfu", "factory"},
    },
    ("factory-button", "c"): {
        "erase": {"factory", "old"},
        "program": {"factory", "previous"},
        "flags": {"factory", "old"},
    },
    ("rollback", "b"): {"erase": {"dfu", "old"}, "program": {"dfu", "previous"}, "flags": {"dfu", "old", "previous"}},
    ("rollback", "c"): {"erase": {"factory", "old"}, "program": {"factory", "previous"}, "flags": {"old", "previous"}},
}


SYSTEMS = [f"{path} {system}" for path in ("cloud", "cloud-fast") for system in CoreSweeps().choices(path)["system"]]


@pytest.mark.parametrize("path_and_system", some_always(SYSTEMS, "cloud 0.2.0", "cloud-fast 0.4.0"))
def test_each_version_of_the_system_stores_the_same_image_and_lets_it_be_copied(path_and_system):
    path, system = path_and_system.split()
    update, copied = core_plan(path, system=system).scenario().update, core_plan("ota-copy").scenario().update
    download = b"".join(run.data for run, phase in zip(update.runs, update.phases, strict=True) if phase == "download")
    assert download.startswith(ROLES["new"].data)
    copy, there = ([(run.kind, run.address, run.count) for run in some.runs] for some in (copied, update))
    assert any(there[at : at + len(copy)] == copy for at in range(len(there)))


@pytest.mark.parametrize(
    ("path", "generation"), [*TABLE, *(pytest.param(*row, marks=pytest.mark.long) for row in SLOW_TABLE)]
)
def test_the_table_comes_out_row_by_row(path, generation):
    found = ends_by_phase(ModelSweep(core_plan(path, generation=generation)))
    assert found == (TABLE | SLOW_TABLE)[path, generation]
