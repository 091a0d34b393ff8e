"""Sweeps, on demand: `pytest -s tests/rig/benchmarks/bench_sweep.py`; cuts, boards that were started, and seconds.

Beside them what others cut in a second, by their own papers and logs: littlefs 850 (its test runner), mcuboot 325 to
690 (its simulator), Tardigrade 17 (an emulator). A cut that needs no start is not one of theirs: compare starts.
"""

from __future__ import annotations

import time

import pytest

from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import TEARS
from rig.sweep.cuts_in_a_row import CutsInARow
from rig.sweep.sweep import settle_whole
from tests.rig.sweep.plans import plan_of

PATHS = {
    **{f"core copy {one}": ("spark-core", "ota-copy", {"generation": one}) for one in ("a2013", "a", "b", "c")},
    "core dfu b": ("spark-core", "dfu", {"generation": "b"}),
    "core button b": ("spark-core", "factory-button", {"generation": "b"}),
    "core rollback b": ("spark-core", "rollback", {"generation": "b"}),
    "esp32 https": ("esp32", "https", {}),
}


@pytest.mark.parametrize("name", PATHS)
def test_one_cut(name):
    kind, path, choices = PATHS[name]
    scenario, began = plan_of(kind, path, **choices).scenario(), time.process_time()
    found = ChunkSweep(scenario, TEARS, 0).sweep_all()
    seconds = time.process_time() - began
    print(f"\n{name}: {found.points:,} cuts, {found.starts:,} starts, {seconds:.2f} s of CPU")
    assert found.starts <= found.points


def test_two_cuts_of_the_copy():
    pairs, began = CutsInARow(plan_of("spark-core", "ota-copy").scenario(), TEARS, 0), time.process_time()
    points = sum(group.points for group in pairs.sweep())
    print(f"\n{points:,} pairs, {pairs.starts.made} starts, {time.process_time() - began:.2f} s of CPU")
    assert points > 10**10


@pytest.mark.benchmark(group="a start whole, with nobody watching")
@pytest.mark.parametrize(("kind", "path"), [("spark-core", "ota-copy"), ("esp32", "https")])
def test_start(benchmark, kind, path):
    scenario = plan_of(kind, path).scenario()
    benchmark(settle_whole, scenario, scenario.update.before)
