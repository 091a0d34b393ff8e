"""Paths as board sweeps cut them: an aim for every position of every phase."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.campaign.strata import share_of_piece
from rig.drivers.progress import Progress
from rig.families.esp32.boards.timing import Esp32Timing
from rig.families.spark_core.boards.timing import Timing
from rig.family.contract import family_of
from rig.power.trigger import Aim
from tests.rig.sweep.plans import MANIFEST

BOARDS = {
    **{f"spark-core {g}": ("spark-core", {"generation": g}, Timing) for g in ("a2013", "a", "b", "c")},
    "esp32": ("esp32", {}, Esp32Timing),
}
STRATA = [
    (board, path, phase)
    for board, (kind, tags, _) in BOARDS.items()
    for path, its in family_of(kind).campaign.board_sweeps.paths.items()
    for phase in its.phases_on(tags)
]


@given(st.integers(1, 500), st.floats(0, 1, exclude_max=True), st.integers(0, 1023))
def test_a_share_is_reached_by_the_piece_that_a_position_is_in(pieces, position, short):
    """Whatever the last piece lacks of 1024 bytes, and counted in bytes or in pieces."""
    share, part = share_of_piece(position, pieces)
    total = pieces * 1024 - (short if pieces > 1 else 0) * 9 // 10
    aim, number = Aim("program", share), int(position * pieces)
    for done in (number + 1, min((number + 1) * 1024, total)):
        of = pieces if done == number + 1 else total
        assert aim.matches(Progress("program", 0, done, of))
    assert not aim.matches(Progress("program", 0, number, pieces))
    assert 0 <= part < 1


def trials(board, path, phase, positions):
    kind, tags, timing = BOARDS[board]
    found = SimpleNamespace(tags=tags, timing=timing.from_tags(tags))
    roles = MANIFEST.roles(kind)
    return [family_of(kind).campaign.board_sweeps.paths[path].phases[phase](at, found, roles) for at in positions]


@pytest.mark.parametrize(("board", "path", "phase"), STRATA)
def test_a_later_position_is_aimed_at_later(board, path, phase):
    made = trials(board, path, phase, [0.0, 0.2, 0.21, 0.5, 0.9, 0.999])
    aims = [(trial.aim.share, trial.aim.delay_ms) for trial in made]
    assert aims == sorted(set(aims))


@pytest.mark.parametrize(("board", "path", "phase"), STRATA)
def test_its_phase_is_one_that_landings_have(board, path, phase):
    (trial,) = trials(board, path, phase, [0.5])
    family = family_of(BOARDS[board][0])
    assert phase in {known.name for known in family.update_paths[trial.path]}
