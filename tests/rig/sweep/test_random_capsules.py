"""A hundred capsules, drawn at random from sweeps of both families: each replays to the end that it tells."""

from __future__ import annotations

import random

import pytest

from rig.sweep.capsule import Capsule
from rig.sweep.cut_points import TEARS
from rig.sweep.cuts_in_a_row import CutsInARow
from rig.sweep.replay import replay
from rig.sweep.sweep import Answers, ModelSweep
from tests.rig.sweep.plans import MANIFEST, core_plan, plan_of

PLANS = {
    "a copy": core_plan("ota-copy"),
    "a copy with registers that are kept": core_plan("ota-copy", **{"backup-registers": "kept"}),
    "over the air": core_plan("cloud", system="0.2.0"),
    "over the air, fast": core_plan("cloud-fast"),
    "a reset by firmware": core_plan("factory-reset"),
    "a deep update": core_plan("deep-update"),
    "an ESP32's update": plan_of("esp32", "https", client="arduino"),
    "an update after another": plan_of("esp32", "second-update"),
    "the start that confirms": plan_of("esp32", "mark-valid"),
    "over the serial port": plan_of("esp32", "serial"),
}
#: Of each plan: capsules of one cut, of two in a row, and of three.
ONE, TWO, THREE = 6, 3, 1


def drawn(plan, rng):
    """Cuts and how they ended."""
    sweep = ModelSweep(plan)
    for _ in sweep.run(jobs=1):
        pass
    answers = Answers(sweep.progress)
    for tear, k, ended in (answers.at(rng.randrange(answers.points)) for _ in range(ONE)):
        yield ((k, tear),), ended
    for count, many in ((2, TWO), (3, THREE)):  # of all first cuts, those of two operations
        until = sweep.scenario.update.operations + 1
        begin = rng.randrange(until)
        groups = list(CutsInARow(sweep.scenario, TEARS, plan.seed, count).sweep(begin, min(begin + 2, until)))
        yield from (rng.choice(groups).drawn(rng) for _ in range(many))


@pytest.mark.parametrize("name", PLANS)
def test_capsules_of_one_two_and_three_cuts_replay_to_the_same_end(name):
    plan, replayed = PLANS[name], 0
    for cuts, ended in drawn(plan, random.Random(name)):
        capsule = Capsule.parse(str(Capsule.of(plan, cuts, ended)))
        assert replay(capsule, MANIFEST.images(plan.kind)).settled == ended
        replayed += 1
    assert replayed == ONE + TWO + THREE
