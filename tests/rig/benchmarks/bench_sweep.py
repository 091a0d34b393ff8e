"""Sweeps, on demand: `pytest -s tests/rig/benchmarks/bench_sweep.py`; cuts, boards that were started, and seconds.

Beside them what others cut in a second, by their own papers and logs: littlefs 850 (its test runner), mcuboot 325 to
690 (its simulator), Tardigrade 17 (an emulator). A cut that needs no start is not one of theirs: compare starts.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from rig.families.esp32.formats.otadata import SECTOR, Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import TEARS
from rig.sweep.cuts_in_a_row import CutsInARow
from rig.sweep.family import sweeps_of
from rig.sweep.known_starts import KnownStarts
from rig.sweep.sweep import settle_whole
from tests.rig.families.esp32.formats.recordings import esp_image
from tests.rig.sweep.plans import plan_of

PATHS = {
    **{f"core copy {one}": ("spark-core", "ota-copy", {"generation": one}) for one in ("a2013", "a", "b", "c")},
    **{f"core {path}": ("spark-core", path, {}) for path in sweeps_of("spark-core").paths},
    **{f"esp32 {path}": ("esp32", path, {}) for path in sweeps_of("esp32").paths},
}
#: Distinct starts that are made to count them.
STARTS = 400


#: Commands, with images of the size of genuine ones, and for how many seconds they may run on two quiet processors.
COMMANDS = {
    **{f"spark-core ota-copy --generation {one}": 5 for one in ("a2013", "a", "b", "c")},
    "spark-core cloud": 6,
    "spark-core cloud-fast --generation c": 6,
    "spark-core dfu": 15,
    "spark-core ota-copy --cuts 2": 120,
    "spark-core all": 120,
    "esp32 all": 120,
}


@pytest.mark.parametrize("words", COMMANDS)
def test_from_start_to_exit(words, tmp_path):
    """Wall clock, processor time of all processes, and the memory of the largest."""
    command = [sys.executable, "-m", "rig", "sweep", *words.split(), "--json", *images(tmp_path, words)]
    began, before = time.monotonic(), os.times()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    wall, after = time.monotonic() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    told = json.loads(done.stdout)
    plans = told.get("plans", [told])
    points, starts = sum(plan["points"] for plan in plans), sum(plan["starts"] for plan in plans)
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(
        f"\nrig sweep {words}: {points:,} cuts, {starts:,} starts, "
        f"{wall:.1f} s (goal {COMMANDS[words]}), {cpu:.1f} s of CPU"
    )
    print(f"  {starts / cpu:,.0f} starts a second of CPU; at most {megabytes} MB in a process until here")
    assert points > starts


def images(folder, words):
    """A Core's application area filled, as genuine firmware fills it; an ESP32 keeps the rig's own."""
    if not words.startswith("spark-core"):
        return []
    files = {"old": folder / "old.bin", "new": folder / "new.bin"}
    for role, file in files.items():
        vectors = (0x2000_4FFC).to_bytes(4, "little") + (0x0800_5109).to_bytes(4, "little")
        file.write_bytes(vectors + random.Random(role).randbytes(110_592 - len(vectors)))
    return [word for role, file in files.items() for word in (f"--{role}", str(file))]


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


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_distinct_starts_of_an_esp32(size):
    """Each finds another record; the application is the rig's own, or one of a megabyte."""
    plan = plan_of("esp32", "mark-valid")
    old = replace(plan.images["old"], data=esp_image("esp32", recipe_of(size))) if size else plan.images["old"]
    scenario = replace(plan, images={**plan.images, "old": old}).scenario()
    contents = [with_record(scenario, Record.of(2 * number + 3, State.VALID)) for number in range(STARTS)]
    known, began = KnownStarts(scenario), time.process_time()
    ends = {known.settle(flash).settled for flash in contents}
    rate = STARTS / (time.process_time() - began)
    print(f"\nesp32, {len(old):,} bytes: {rate:,.0f} distinct starts a second of CPU")
    assert (known.made, ends) == (STARTS, {("old", "self")})


def recipe_of(size):
    return {"seed": "benchmark", "version": "1.0", "drom": size // 4, "irom": size * 3 // 4 - 0x10000}


def with_record(scenario, record):
    """Flash of a scenario, with this record in the first sector of otadata."""
    (pages,) = scenario.update.before
    page = LAYOUTS["two_ota_large"].otadata.offset // SECTOR
    return ((*pages[:page], record.pack().ljust(SECTOR, b"\xff"), *pages[page + 1 :]),)


@pytest.mark.benchmark(group="a start whole, with nobody watching")
@pytest.mark.parametrize(("kind", "path"), [("spark-core", "ota-copy"), ("esp32", "https")])
def test_start(benchmark, kind, path):
    scenario = plan_of(kind, path).scenario()
    benchmark(settle_whole, scenario, scenario.update.before)
