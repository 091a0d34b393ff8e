"""A sweep says of every cut what a board does that is started after it, with fewer starts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.sweep.chunk import ChunkSweep
from rig.sweep.chunks import chunks_of
from rig.sweep.cut_points import BEFORE, TEARS
from rig.sweep.spans import joined
from tests.rig.sweep.toy_board import toy
from tests.rig.sweep.whole_starts import answers_of, every_cut


@given(st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_every_cut_ends_as_a_board_that_is_started_whole(seed):
    scenario = toy(seed)
    found = ChunkSweep(scenario, TEARS, seed=7).sweep_all()
    assert answers_of(found.spans) == every_cut(scenario, TEARS, seed=7)


@pytest.mark.parametrize("seed", range(20))
def test_a_sweep_in_pieces_is_the_sweep_at_once(seed):
    scenario = toy(seed)
    end = scenario.update.operations + 1
    whole = ChunkSweep(scenario, TEARS, seed=0).sweep(0, end)
    pieces = [ChunkSweep(scenario, TEARS, seed=0).sweep(at, min(at + 3, end)) for at in range(0, end, 3)]
    assert joined(span for piece in reversed(pieces) for span in piece.spans) == joined(whole.spans)
    assert sum(piece.points for piece in pieces) == whole.points


def test_fewer_boards_are_started_than_cuts_are_answered():
    sweeps = [(scenario, ChunkSweep(scenario, TEARS, seed=0)) for scenario in map(toy, range(50))]
    found = [sweep.sweep_all() for scenario, sweep in sweeps]
    assert sum(one.starts for one in found) < sum(one.points for one in found) / 3


@pytest.mark.parametrize("seed", range(20))
def test_the_chunks_of_an_update_have_every_operation_once(seed, monkeypatch):
    monkeypatch.setattr("rig.sweep.chunks.MOST", 8)
    update = toy(seed).update
    covered = [k for begin, end in chunks_of(update) for k in range(begin, end)]
    assert sorted(covered) == list(range(update.operations + 1))


def test_only_tears_that_make_sense_are_counted():
    scenario = toy(3)
    found = ChunkSweep(scenario, ("half-erased",), seed=0).sweep_all()
    erased = {k for run in scenario.update.runs if "erase" in run.kind for k in range(run.first, run.first + run.count)}
    torn = {k for span in found.spans if span.tear != BEFORE for k in range(span.first, span.last + 1)}
    assert torn == erased
