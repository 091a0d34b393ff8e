"""Every scenario of servers' identities, played on the model: what each firmware does is what the reference says."""

from __future__ import annotations

from itertools import combinations

import pytest

from rig.campaign.swap import play
from tests.boards.esp32.swap_pairs import CLOCKS, FAILOVERS, SWAPS, VARIANT, WHENS, rows, scenario
from tests.rig.campaign import checks_swap
from tests.rig.campaign.world_setup import WorldSetup, scenarios

CASES = [(name, firmware) for name in scenarios().names for firmware in scenarios()[name].expects]


@pytest.mark.parametrize(("name", "firmware"), CASES, ids=[f"{name}-{firmware}" for name, firmware in CASES])
def test_firmware_does_what_is_expected_of_it_and_is_brought_back(name, firmware):
    checks_swap.plays_as_expected(name, firmware)


def test_every_pair_of_swap_moment_failover_and_clock_meets():
    factors = (SWAPS, WHENS, FAILOVERS, CLOCKS)
    met = {(i, j, row[i], row[j]) for row in rows() for i, j in combinations(range(len(factors)), 2)}
    assert len(met) == sum(len(one) * len(other) for one, other in combinations(factors, 2))
    assert len(rows()) < 20, "of 96 that there are"


@pytest.mark.parametrize("row", rows(), ids="-".join)
def test_a_pair_does_what_is_expected_and_is_brought_back(row):
    expected = scenario(row).change(VARIANT)
    played = play(scenario(row), WorldSetup(VARIANT))
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    assert played.runs_on
    assert played.updated
