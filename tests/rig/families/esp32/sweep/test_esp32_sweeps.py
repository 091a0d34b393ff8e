"""Sweeps of an ESP32's update over HTTPS: the rows of its cut table, and every cut compared with a whole start."""

from __future__ import annotations

import pytest

from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import TEARS
from rig.sweep.sweep import ModelSweep
from tests.rig.sweep.ends import ends_by_phase
from tests.rig.sweep.plans import plan_of
from tests.rig.sweep.whole_starts import answers_of, every_cut

#: Rows 1 and 3 to 13 of the cut table (§4.2): a record that is lost brings back the old application in silence, and one
#: on probation is given up.
WITH_ROLLBACK = {"download": {"old"}, "choose": {"old"}, "first-boot": {"old", "new"}, "confirm": {"old"}}
WITHOUT = {"download": {"old"}, "choose": {"old"}}


@pytest.mark.parametrize("idf", ["5.5", "5.4", "5.1", "4.4"])
@pytest.mark.parametrize("client", ["https-ota", "arduino"])
@pytest.mark.parametrize(("rollback", "rows"), [("yes", WITH_ROLLBACK), ("no", WITHOUT)])
def test_the_table_comes_out_row_by_row(client, idf, rollback, rows):
    assert ends_by_phase(ModelSweep(plan_of("esp32", "https", client=client, rollback=rollback, idf=idf))) == rows


@pytest.mark.parametrize("client", ["https-ota", "arduino"])
def test_every_cut_ends_as_a_board_that_is_started_whole(client):
    scenario = plan_of("esp32", "https", client=client).scenario()
    found = ChunkSweep(scenario, TEARS, seed=0).sweep_all()
    assert answers_of(found.spans) == every_cut(scenario, TEARS, seed=0)
    assert found.starts < 20


@pytest.mark.parametrize("rollback", ["yes", "no"])
def test_an_update_that_is_not_cut_runs_the_new_application(rollback):
    scenario = plan_of("esp32", "https", rollback=rollback).scenario()
    end = scenario.update.operations
    ((span,),) = [ChunkSweep(scenario, (), seed=0).sweep(end, end + 1).spans]
    assert span.settled == ("new", "self")
