"""The tasks of one plan on a cluster: given to it, waited for, divided where something is left, and taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from math import ceil
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from rig.sweep.chunks import Chunk
from rig.sweep.cluster.task import Job, Result, same, sweep_from

if TYPE_CHECKING:
    from rig.sweep.cluster.cluster import Cluster

#: Seconds without a result after which somebody looks who is still there.
LOOK = 2.0


class UnderWay:
    """What is under way of a plan. The job travels as a task's result: it is made again where its holders died."""

    def __init__(self, cluster: Cluster, job: Job, stretches: Iterable[Chunk]):
        self._cluster, self._name, self._threads = cluster, job.name, cluster.threads()
        self._chunks: dict[Any, Chunk] = {}
        self._done: SimpleQueue[Any] = SimpleQueue()
        self._job = cluster.client.submit(same, job, key=f"rig-job-{job.name}")
        for begin, end in stretches:
            self._give(begin, end)

    def results(self) -> Iterator[Result]:
        """As they come; what is left when this ends is taken back. Raises LabFault."""
        try:
            while self._chunks:
                future = self._next()
                begin, end = self._chunks.pop(future)
                found = self._cluster.result_of(future)
                for stretch in divided(begin, found[-1].end, end, most=self._threads):
                    self._give(*stretch)
                yield from found
        finally:
            with suppress(Exception):  # of a scheduler that is gone
                self._cluster.client.cancel([*self._chunks, self._job])

    def _give(self, begin: int, end: int) -> None:
        client, key = self._cluster.client, f"rig-cuts-{self._name}-{begin}-{end}"
        future = client.submit(sweep_from, self._job, begin, end, self._cluster.task_seconds, key=key)
        self._chunks[future] = (begin, end)
        future.add_done_callback(self._done.put)

    def _next(self) -> Any:
        """The next task that ended. Raises WorkersLost when nobody is there for a while."""
        while True:
            try:
                return self._done.get(timeout=LOOK)
            except Empty:
                self._cluster.wait_for_worker()


def divided(begin: int, reached: int, end: int, most: int) -> list[Chunk]:
    """What a task left of its stretch, in parts that take as long as it took, as far as anybody knows."""
    left = end - reached
    parts = min(max(most, 1), ceil(left / (reached - begin)))
    edges = [reached + left * number // parts for number in range(parts + 1)] if parts else []
    return list(pairwise(edges))
