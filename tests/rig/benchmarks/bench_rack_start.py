"""How a virtual rack starts: seconds, processor time and memory, and what each part of it takes.

Its processes are forked from one that has loaded what they need; in turn with that each is started by its own command,
as one that died is. The medians of the pairs are told. Run on demand, on a machine that does nothing else:
`pytest tests/rig/benchmarks/bench_rack_start.py -s -p no:cacheprovider`; RIG_BOARDS=100 RIG_ROUNDS=1 for a large one.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

BOARDS = int(os.environ.get("RIG_BOARDS", "10"))
ROUNDS = int(os.environ.get("RIG_ROUNDS", "3"))
COUNTS = ("--cores", str(BOARDS - BOARDS // 2), "--esp32s", str(BOARDS // 2), "--time-scale", "0.1")
FORKED = "from rig.cli.main import main; main()"
ONE_BY_ONE = (
    f"import contextlib; from rig.rack.children import Children as c; c.forked = contextlib.nullcontext; {FORKED}"
)
PART = re.compile(r"labgrid-(coordinator|exporter)|-m rig (?:twin|cloud) ([\w-]+)")


@dataclass
class Start:
    """One start: wall and processor seconds until it was ready, MiB of memory, and both by part."""

    seconds: float
    cpu: float = 0.0
    memory: float = 0.0
    by_part: Counter[str] = field(default_factory=Counter)
    memory_by_part: Counter[str] = field(default_factory=Counter)


def start(how: str) -> Start:
    """Start a rack and end it again."""
    began = time.monotonic()
    rack = subprocess.Popen([sys.executable, "-c", how, "up", "--json", *COUNTS], stdout=subprocess.PIPE, text=True)
    ready = json.loads(rack.stdout.readline())
    found = Start(time.monotonic() - began)
    assert len(ready["places"]) == BOARDS
    controller = psutil.Process(rack.pid)
    gone = controller.cpu_times()
    found.by_part["the fork server, and what started others"] = gone.children_user + gone.children_system
    for process in (controller, *controller.children(recursive=True)):
        part = PART.search(" ".join(process.cmdline()))
        name = next(filter(None, part.groups())) if part else "rig up"
        times = process.cpu_times()
        found.by_part[name] += times.user + times.system
        found.memory_by_part[name] += process.memory_full_info().pss / 2**20
    found.cpu, found.memory = found.by_part.total(), found.memory_by_part.total()
    rack.terminate()
    assert rack.wait(60) == 0
    return found


def median(starts: list[Start], what: str) -> float:
    return statistics.median(getattr(one, what) for one in starts)


def told(name: str, starts: list[Start]) -> str:
    figures = [median(starts, what) for what in ("seconds", "cpu", "memory")]
    return "{:11} {:6.1f} s, {:6.1f} s of processor time, {:6.0f} MiB".format(name, *figures)


def test_a_rack_that_is_forked_takes_half_of_one_by_one():
    pairs = [(start(ONE_BY_ONE), start(FORKED)) for _ in range(ROUNDS)]
    before, after = (list(starts) for starts in zip(*pairs, strict=True))
    print(f"\n{BOARDS} boards\n{told('one by one', before)}\n{told('forked', after)}")
    for name, cpu in after[-1].by_part.most_common():
        print(f"  {name:42} {cpu:6.2f} s {after[-1].memory_by_part[name]:6.0f} MiB")
    ratio = statistics.median(forked.cpu / alone.cpu for alone, forked in pairs)
    memory = statistics.median(forked.memory / alone.memory for alone, forked in pairs)
    print(f"processor time {ratio:.2f}, memory {memory:.2f} of one by one")
    assert ratio < 0.6
    assert memory < 0.75
