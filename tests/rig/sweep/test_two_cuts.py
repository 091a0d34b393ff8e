"""Two cuts in a row end as boards that are started whole after both."""

from __future__ import annotations

import pytest

from rig.sweep.cut_points import TEARS
from rig.sweep.two_cuts import TwoCuts
from tests.rig.sweep.plans import core_plan
from tests.rig.sweep.toy_board import toy
from tests.rig.sweep.whole_starts import every_pair, pairs_of


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 40))])
def test_every_pair_of_cuts_ends_as_boards_that_are_started_whole(seed):
    scenario = toy(seed)
    assert pairs_of(TwoCuts(scenario, TEARS, seed).sweep()) == every_pair(scenario, TEARS, seed)


def test_every_pair_of_cuts_in_a_copy_is_answered():
    scenario = core_plan("ota-copy").scenario()
    found = list(TwoCuts(scenario, TEARS, 0).sweep())
    ends = sum((group.count() for group in found), start=type(found[0].count())())
    assert sum(group.first.last - group.first.first + 1 for group in found) == 332_375
    assert ends.total() > 10**10
    assert {end.became for end in ends} == {"new", "old", "dfu"}
