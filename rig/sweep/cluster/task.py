"""What a worker of a cluster does: cuts from an operation on, as far as it comes in a few seconds.

It needs the plan and two numbers, may be done anywhere and again. The update is made once in each worker and kept, with
the starts that were made of it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from rig.sweep.chunk import ChunkResult, ChunkSweep
from rig.sweep.cluster.versions import difference, versions
from rig.sweep.plan import SweepPlan
from rig.sweep.rows import RowChunks, RowsResult
from rig.sweep.workers import WorkersLost

Result = ChunkResult | RowsResult
#: Operations that are cut before somebody looks at the clock; twice as many each time that there is time left.
FIRST = 16
#: Updates that a worker keeps.
MOST_KEPT = 4


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of one plan share; it travels once to each worker. `name` is no other job's."""

    name: str
    plan: SweepPlan
    #: In a row.
    cuts: int
    #: What the sweep was begun with.
    versions: Mapping[str, str]


class Sweeper(Protocol):
    """Sweeps stretches of one update."""

    def sweep(self, begin: int, end: int) -> Result:
        """All cuts, or rows of them, whose first is at `begin`…`end`-1."""


_kept: OrderedDict[str, Sweeper] = OrderedDict()
#: Threads of one process would sweep with the same flash; Python would not let them at the same time anyway.
_one_at_a_time = Lock()


def same(job: Job) -> Job:
    """The job, as a task's result: it is sent once to each worker that needs it."""
    return job


def sweep_from(job: Job, begin: int, end: int, seconds: float) -> list[Result]:
    """Stretches from `begin` on, one behind the other, for about so many seconds and not beyond `end`-1.

    Raises LabFault, and WorkersLost in a process that has other versions than the sweep.
    """
    if other := difference(job.versions, versions(job.plan.kind)):
        raise WorkersLost(f"{_here()} has {other}", hint="install the same on every worker")
    with _one_at_a_time:
        sweeper, results, until, step = _sweeper(job), list[Result](), time.monotonic() + seconds, FIRST
        while begin < end and (not results or time.monotonic() < until):
            reached = min(begin + step, end)
            results.append(sweeper.sweep(begin, reached))
            begin, step = reached, 2 * step
    return results


def _sweeper(job: Job) -> Sweeper:
    """The one that was made for this job, or a new one; what nobody asked for longest is forgotten."""
    if job.name not in _kept:
        _kept[job.name] = _made(job)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(job.name)
    return _kept[job.name]


def _made(job: Job) -> Sweeper:
    scenario = job.plan.scenario()
    if job.cuts > 1:
        return RowChunks(scenario, job.plan, job.cuts)
    return ChunkSweep(scenario, job.plan.tears, job.plan.seed)


def _here() -> str:
    """This worker, as its cluster calls it."""
    from distributed import get_worker

    return f"worker {get_worker().address}"
