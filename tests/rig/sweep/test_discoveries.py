"""What a sweep finds that no table names is told with a capsule that shows it."""

from __future__ import annotations

from functools import cache

import pytest

from rig.sweep.capsule import Capsule
from rig.sweep.discoveries import discoveries
from rig.sweep.family import sweeps_of
from rig.sweep.replay import replay
from rig.sweep.sweep import ModelSweep
from tests.rig.sweep.plans import IMAGES, core_plan, plan_of


@cache
def swept(path: str, generation: str) -> ModelSweep:
    sweep = ModelSweep(core_plan(path, generation=generation))
    for _ in sweep.run(jobs=1):
        pass
    return sweep


def found_in(sweep: ModelSweep, documented=None):
    if documented is None:
        documented = sweeps_of(sweep.plan.kind).documented(sweep.plan.path, sweep.plan.choices)
    return discoveries(sweep.plan, sweep.scenario.update, sweep.progress.spans, documented)


#: What the reference's table does not say: phase, end, how many cuts.
FOUND = {
    ("cloud", "b"): [],
    ("ota-copy", "a2013"): [],
    ("factory-reset", "b"): [],
    # The last half-words of an image are blank: there is nothing left to program.
    ("dfu", "b"): [("program", "new", 3)],
    # The pages behind the first are erased when that is programmed already.
    ("dfu-interleaved", "a"): [("erase", "hang", 27), ("program", "new", 3)],
    ("dfu-interleaved", "b"): [("erase", "previous", 27), ("program", "new", 3)],
}


@pytest.mark.parametrize(("path", "generation"), FOUND)
def test_ends_that_the_table_does_not_name_are_discoveries(path, generation):
    told = [(each.phase, each.settled.became, each.points) for each in found_in(swept(path, generation))]
    assert told == FOUND[path, generation]


def test_the_capsule_of_a_discovery_shows_it():
    for each in found_in(swept("dfu-interleaved", "a")):
        assert replay(Capsule.parse(each.capsule), IMAGES).settled == each.settled


def test_a_table_with_a_row_less_makes_its_cuts_a_discovery():
    documented = {"flags": frozenset({"new", "old"})}
    (found,) = found_in(swept("ota-copy", "b"), documented)
    assert (found.phase, found.settled.became, found.points) == ("flags", "dfu", 24)


@pytest.mark.parametrize(
    "path", ["https", "second-update", "mark-valid", "give-up", "factory-update", "factory-chosen"]
)
def test_an_esp32_does_what_its_table_says_and_nothing_else(path):
    sweep = ModelSweep(plan_of("esp32", path))
    for _ in sweep.run(jobs=1):
        pass
    documented = sweeps_of("esp32").documented(path, sweep.plan.choices)
    assert set(sweep.scenario.update.phases) - set(documented) <= {"first-boot"}
    assert found_in(sweep) == []
