"""Every scenario of servers' identities, played on the model by its capsule: firmware does what the reference says."""

from __future__ import annotations

from itertools import combinations

import pytest

from rig.campaign.swap_capsule import SwapCapsule
from rig.campaign.swap_replay import replay_swap
from tests.boards.esp32.swap_pairs import CLOCKS, FAILOVERS, SWAPS, VARIANT, WHENS, rows, scenario
from tests.rig.campaign import checks_swap, checks_swap_capsule
from tests.rig.campaign.swap_setups import capsule, images, scenarios

CASES = [(name, firmware) for name in scenarios().names for firmware in scenarios()[name].expects]


@pytest.mark.parametrize(("name", "firmware"), CASES, ids=[f"{name}-{firmware}" for name, firmware in CASES])
def test_firmware_does_what_is_expected_of_it_and_is_brought_back(name, firmware):
    line = str(capsule("esp32", name, firmware))
    played = replay_swap(SwapCapsule.parse(line), images("esp32"))
    checks_swap.ended_as_expected(played, scenarios()[name], firmware)


def test_every_pair_of_swap_moment_failover_and_clock_meets():
    factors = (SWAPS, WHENS, FAILOVERS, CLOCKS)
    met = {(i, j, row[i], row[j]) for row in rows() for i, j in combinations(range(len(factors)), 2)}
    assert len(met) == sum(len(one) * len(other) for one, other in combinations(factors, 2))
    assert len(rows()) < 20, "of 96 that there are"


@pytest.mark.parametrize("row", rows(), ids="-".join)
def test_a_pair_does_what_is_expected_and_is_brought_back(row):
    expected = scenario(row).change(VARIANT)
    line = str(checks_swap_capsule.capsule_of_esp32(scenario(row), VARIANT))
    played = replay_swap(SwapCapsule.parse(line), images("esp32"))
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    assert played.runs_on
    assert played.updated
