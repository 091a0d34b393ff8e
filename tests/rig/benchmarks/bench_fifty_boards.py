"""Fifty boards on one machine: how long the rack takes to start, how much memory it is, and one suite over all of them.

Run on demand: `pytest tests/rig/benchmarks/bench_fifty_boards.py -s -p no:cacheprovider`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import psutil

from rig.firmware.checkout import part
from tests.rig.rack.rig_up import Up

BOARDS = int(os.environ.get("RIG_BOARDS", "50"))


def test_one_suite_over_all_boards():
    began = time.monotonic()
    rack = Up("--cores", str(BOARDS), "--time-scale", "0.1")
    started = time.monotonic() - began
    family = [psutil.Process(rack.process.pid), *psutil.Process(rack.process.pid).children()]
    memory = sum(process.memory_full_info().pss for process in family) / 2**20
    words = [
        "-n",
        str(BOARDS),
        "--dist",
        "each",
        "-q",
        "--rack",
        str(part("places", "virtual.yaml")),
        "-k",
        "update_path",
    ]
    contracts = part("tests", "boards", "spark_core", "test_core_contracts.py")
    suite = [sys.executable, "-m", "pytest", *words, str(contracts)]
    began = time.monotonic()
    done = subprocess.run(suite, env={**os.environ, "LG_COORDINATOR": rack.coordinator}, capture_output=True, text=True)
    ran = time.monotonic() - began
    rack.end()
    passed = re.search(r"(\d+) passed", done.stdout)
    print(f"\n{BOARDS} boards: up in {started:.1f} s, {memory:.0f} MB; a suite over all of them {ran:.1f} s")
    assert passed is not None, done.stdout[-2000:]
    assert int(passed.group(1)) == 2 * BOARDS
