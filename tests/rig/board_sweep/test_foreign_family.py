"""A family from outside is swept on boards as the rig's own are: its cuts are on its own map."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from rig.board_sweep.model_map import ModelMap, agrees, plan_of
from rig.family.contract import family_of
from rig.sweep.cut_points import BEFORE
from tests.rig.board_sweep.made_up import ModelBoard
from tests.rig.families import checks_pinboard, pinboards

ROLES = {"old": checks_pinboard.OLD, "new": checks_pinboard.NEW}


@pytest.fixture(scope="module")
def swept():
    """A trial for each phase, the map, and the board that is the model."""
    with pinboards.known():
        path = family_of("pinboard").campaign.board_sweeps.paths["tcp"]
        board = SimpleNamespace(tags={"button": "wired"}, scale=1.0)
        trials = {phase: trial_at(0.5, board, ROLES) for phase, trial_at in path.phases_on(board.tags).items()}
        plan = plan_of("pinboard", "tcp", {}, ROLES)
        yield trials, ModelMap.swept(plan, path.begins), ModelBoard(plan, path.begins)


def test_its_cuts_are_on_its_own_map(swept):
    trials, known, board = swept
    rng, compared = random.Random(0), set()
    for k in rng.sample(range(board.operations), 60):
        landing, outcome = board.cut(trials["copy"], k, BEFORE)
        if landing.known_by == "read-back":
            compared.add(landing.phase)
            assert any(agrees(outcome, one.settled) for one in known.possible(landing, trials["copy"])), landing
    assert {"download", "copy"} <= compared


def test_a_copy_that_is_cut_costs_the_board_from_its_begin_on(swept):
    trials, known, _ = swept
    changes = known.changes("copy", trials["copy"])
    assert changes[0] == 0.0
    assert all(0 <= change < 1 for change in changes)
