"""A capsule is one line: it reads back as it was written, refuses what was changed, and replays to the same end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.sweep.capsule import Capsule
from rig.sweep.cut_points import BEFORE, TEARS
from rig.sweep.replay import replay
from rig.sweep.scenario import Settled
from rig.sweep.sweep import Answers, ModelSweep
from tests.rig.sweep.plans import IMAGES, core_plan

CUTS = st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from((BEFORE, *TEARS))), min_size=1, max_size=3)
ENDS = st.one_of(st.none(), st.builds(Settled, st.sampled_from(("new", "dfu")), st.sampled_from(("self", "none"))))


@given(CUTS, ENDS, st.integers(-100, 1 << 40))
def test_a_capsule_reads_back_as_it_was_written(cuts, ended, seed):
    written = Capsule.of(core_plan("dfu", seed, generation="c"), tuple(cuts), ended)
    assert Capsule.parse(str(written)) == written
    assert "\n" not in str(written)


LINE = str(Capsule.of(core_plan("ota-copy"), ((3, "prefix"),), Settled("new", "self")))
#: Each application area that comes up is asked what it is: some seconds.
SLOW = ("factory-button", "rollback")
PLAIN = LINE.split(" sum=")[0]
FAULTS = {
    "nothing": ("", "no capsule"),
    "another kind": (PLAIN.replace("spark-core", "toaster"), "toaster"),
    "another path": (PLAIN.replace("ota-copy", "carrier-pigeon"), "carrier-pigeon"),
    "an edited operation": (LINE.replace("cut=3", "cut=4"), "was changed"),
    "an edited generation": (LINE.replace("generation=b", "generation=c"), "was changed"),
    "an unknown generation": (PLAIN.replace("generation=b", "generation=z"), "'z'"),
    "an unknown tear": (PLAIN.replace("prefix", "suffix"), "suffix"),
    "a word that says nothing": (PLAIN + " hello", "'hello'"),
    "a field twice": (PLAIN + " seed=1", "twice"),
    "no cut": (PLAIN.replace("cut=3:prefix ", ""), "OPERATION:TEAR"),
    "an image that is no hash": (PLAIN.replace("old=", "old=x"), "SHA-256"),
    "an image that is longer than none": (PLAIN.replace(" old=", "@0 old="), "SHA-256"),
    "a seed that is no number": (PLAIN.replace("seed=0", "seed=x"), "seed=x"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_capsule_is_refused_by_its_fault(name):
    line, told = FAULTS[name]
    with pytest.raises(Misuse) as refused:
        Capsule.parse(line)
    assert told in str(refused.value)


def test_a_capsule_without_its_image_says_which():
    with pytest.raises(Misuse, match=r"that plays (old|new|factory|previous)"):
        replay(Capsule.parse(LINE), [])


@pytest.mark.parametrize("path", ["ota-copy", "dfu", *(pytest.param(path, marks=pytest.mark.long) for path in SLOW)])
def test_cuts_of_a_sweep_replay_to_the_same_end(path):
    sweep = ModelSweep(core_plan(path))
    for _ in sweep.run(jobs=1):
        pass
    answers, rng = Answers(sweep.progress), random.Random(path)
    for tear, k, told in (answers.at(rng.randrange(answers.points)) for _ in range(25)):
        capsule = Capsule.parse(str(Capsule.of(sweep.plan, ((k, tear),), told)))
        assert replay(capsule, IMAGES).settled == capsule.ended
