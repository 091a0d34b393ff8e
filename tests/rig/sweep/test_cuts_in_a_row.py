"""Cuts in a row end as boards that are started whole after all of them."""

from __future__ import annotations

import pytest

from rig.sweep.cut_points import TEARS
from rig.sweep.cuts_in_a_row import CutsInARow
from tests.rig.sweep.plans import core_plan
from tests.rig.sweep.toy_board import toy
from tests.rig.sweep.whole_starts import every_row, rows_of

#: Toys whose updates and recoveries are short: their rows of three cuts can be counted out.
SHORT = (6, 9, 10, 20, 25, 26)


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 40))])
def test_every_pair_of_cuts_ends_as_boards_that_are_started_whole(seed):
    scenario = toy(seed)
    assert rows_of(CutsInARow(scenario, TEARS, seed).sweep()) == every_row(scenario, TEARS, seed, 2)


@pytest.mark.parametrize("seed", SHORT)
def test_every_three_cuts_end_as_boards_that_are_started_whole(seed):
    scenario = toy(seed)
    assert rows_of(CutsInARow(scenario, TEARS, seed, 3).sweep()) == every_row(scenario, TEARS, seed, 3)


def test_every_pair_of_cuts_in_a_copy_is_answered():
    found = list(CutsInARow(core_plan("ota-copy").scenario(), TEARS, 0).sweep())
    ends = sum((group.count() for group in found), start=type(found[0].count())())
    assert sum(group.times for group in found) == 332_375
    assert ends.total() > 10**10
    assert {end.became for end in ends} == {"new", "old", "dfu"}
