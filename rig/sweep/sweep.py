"""A whole sweep on the model: its chunks, here or in more processes, and the proof that what was merged is true."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass

from rig.errors import LabFault
from rig.process import exit_with_parent
from rig.sweep.capsule import Capsule
from rig.sweep.chunk import ChunkResult, ChunkSweep
from rig.sweep.chunks import Chunk, chunks_of, gaps, is_missing
from rig.sweep.cut_points import Flash, contents_at
from rig.sweep.plan import SweepPlan
from rig.sweep.progress import Progress
from rig.sweep.scenario import Scenario, Settled
from rig.twin.memory import Contents

#: What is over sooner is not worth other processes.
ALONE_SECONDS = 1.0
_sweep_of_process: ChunkSweep | None = None


class ModelSweep:
    """All cuts of a plan, and what is known of them in `progress`."""

    def __init__(self, plan: SweepPlan):
        self.plan = plan
        self.scenario = plan.scenario()
        self.progress = Progress()
        self.chunks = chunks_of(self.scenario.update)

    @property
    def gaps(self) -> list[Chunk]:
        """Stretches of operations that are not done yet."""
        return gaps(self.scenario.update.operations + 1, self.progress.results)

    @property
    def left(self) -> list[Chunk]:
        """Chunks, or what is missing of them, that are not done yet, in their order."""
        missing = self.gaps
        return [
            (max(begin, first), min(end, behind))
            for begin, end in self.chunks
            for first, behind in missing
            if begin < behind and first < end
        ]

    def run(self, jobs: int) -> Iterator[ChunkResult]:
        """Sweep what is left, by so many processes once it takes a while. Raises LabFault."""
        alone, began = ChunkSweep(self.scenario, self.plan.tears, self.plan.seed), time.monotonic()
        for chunk in self.left:
            if jobs > 1 and time.monotonic() - began > ALONE_SECONDS:
                yield from self._run_together(jobs)
                return
            yield self._merged(alone.sweep(*chunk))

    def _run_together(self, jobs: int) -> Iterator[ChunkResult]:
        context = multiprocessing.get_context("fork")
        shared = (os.getpid(), self.scenario, self.plan.tears, self.plan.seed)
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=shared)
        try:
            waiting = {pool.submit(_sweep_chunk, chunk) for chunk in self.left}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield self._merged(future.result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def merge(self, result: ChunkResult) -> bool:
        """Take a result in, wherever it comes from; False for one of operations that are done already."""
        is_new = is_missing(result.begin, result.end, self.gaps)
        if is_new:
            self.progress.add(result)
        return is_new

    def _merged(self, result: ChunkResult) -> ChunkResult:
        self.merge(result)
        return result

    def prove(self, count: int) -> int:
        """Start boards whole after `count` cuts drawn at random, with no footprint; returns how many were started.

        Raises LabFault where one settles in another way than the sweep says.
        """
        answers, rng = Answers(self.progress), random.Random(f"proof:{self.plan.seed}")
        flash = Flash(self.scenario.memory(), self.scenario.update, self.plan.seed)
        drawn = sorted(rng.sample(range(answers.points), min(count, answers.points)))
        for number in drawn:
            tear, k, told = answers.at(number)
            found = settle_whole(self.scenario, contents_at(flash, self.scenario.update, k, tear))
            if found != told:
                capsule = Capsule.of(self.plan, ((k, tear),), found)
                raise LabFault(
                    f"the sweep says {' '.join(told)} of a cut that ends in {' '.join(found)}: {capsule}",
                    hint="a start depends on something that its footprint does not hold; --exhaustive starts all",
                )
        return len(drawn)


@dataclass(frozen=True, slots=True)
class Answers:
    """Every cut of a sweep by a number, and what the sweep says of it."""

    progress: Progress

    @property
    def points(self) -> int:
        """How many."""
        return self.progress.points

    def at(self, number: int) -> tuple[str, int, Settled]:
        """Tear, operation and answer of cut `number`."""
        for span in self.progress.spans:
            if number < span.count:
                return span.tear, span.first + number, span.settled
            number -= span.count
        raise IndexError(number)


def settle_whole(scenario: Scenario, contents: Contents) -> Settled:
    """How a board with these contents settles; nobody watches what it depends on."""
    memory = scenario.memory()
    memory.restore(contents)
    return scenario.start(memory)


def usual_jobs() -> int:
    """As many processes as the machine has processors for us."""
    return len(os.sched_getaffinity(0))


def _prepare(parent: int, scenario: Scenario, tears: Sequence[str], seed: int) -> None:
    global _sweep_of_process
    exit_with_parent(parent)  # a pool's processes would wait for ever for one that was killed
    _sweep_of_process = ChunkSweep(scenario, tears, seed)


def _sweep_chunk(chunk: Chunk) -> ChunkResult:
    assert _sweep_of_process is not None, "the process was prepared"
    return _sweep_of_process.sweep(*chunk)
