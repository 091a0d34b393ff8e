"""The workers of a dask.distributed cluster: a task is a plan and two numbers (rig.sweep.cluster.task).

A plan begins as one task; what that leaves is divided by how long it took. Whatever a worker had that died is done
again by another, and each result is taken in once.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Protocol, cast

from rig.clock import Clock, poll
from rig.errors import LabFault, RigError
from rig.sweep.chunk import ChunkResult
from rig.sweep.chunks import Chunk
from rig.sweep.cluster.task import Job, Result
from rig.sweep.cluster.under_way import UnderWay
from rig.sweep.cluster.versions import difference, versions
from rig.sweep.plan import SweepPlan
from rig.sweep.rows import RowsResult, RowSweep
from rig.sweep.sweep import ModelSweep
from rig.sweep.workers import WorkersLost

if TYPE_CHECKING:
    from distributed import Client

#: Seconds that a task is to take: a scheduler takes milliseconds for each.
TASK_SECONDS = 2.0
#: Seconds that a scheduler is given to answer, and a cluster to have a worker.
ANSWER, WORKERS = 30.0, 30.0
#: Plans that are begun before their turn: each has the flash of its board in memory here.
MOST_AHEAD = 16
RESUME = "--report DIR with --resume goes on with a sweep"


class Missing(Protocol):
    """A sweep: what is missing of it, and where results go."""

    plan: SweepPlan

    @property
    def gaps(self) -> list[Chunk]:
        """Stretches that are not done yet."""

    def merge(self, result: Any) -> bool:
        """Take one in; False for what is done already."""


class Cluster:
    """Workers, as rig.sweep.workers has them; they are reached through a client of their scheduler at `address`."""

    def __init__(self, client: Client, address: str, *, task_seconds: float = TASK_SECONDS, patience: float = WORKERS):
        self.client, self.address, self.task_seconds, self._patience = client, address, task_seconds, patience
        #: Kinds of boards that all workers have as we have them.
        self._checked: set[str] = set()

    @property
    def ahead(self) -> int:
        """A plan for each thread, as far as memory goes, beside the one whose turn it is."""
        return min(self.threads(), MOST_AHEAD)

    def threads(self) -> int:
        """How many tasks can be under way. Raises WorkersLost where nobody says it."""
        return sum(self._ask(self.client.nthreads).values())

    def wait_for_worker(self) -> None:
        """Until there is one. Raises WorkersLost where none comes."""
        if poll(lambda: self.threads() > 0, seconds=self._patience, clock=Clock(), every=0.1) is None:
            raise WorkersLost(f"{self.address} has no worker", hint=f"dask worker {self.address} --nthreads 1")

    def sweep(self, whole: ModelSweep) -> Iterator[ChunkResult]:
        """What is missing is on its way when this returns."""
        return merged(whole, UnderWay(self, self._job(whole.plan, 1), whole.gaps).results())

    def sweep_rows(self, whole: RowSweep) -> Iterator[RowsResult]:
        """The same, for cuts in a row."""
        return merged(whole, UnderWay(self, self._job(whole.plan, whole.cuts), whole.gaps).results())

    def result_of(self, future: Any) -> list[Result]:
        """What a task that ended came to. Raises LabFault, WorkersLost where others would come to nothing, too."""
        from distributed import KilledWorker

        try:
            return cast(list[Result], future.result(timeout=ANSWER))
        except RigError:
            raise
        except TimeoutError as error:
            told = f"a worker of {self.address} does not hand over what it did"
            raise WorkersLost(told, hint=RESUME) from error
        except (CancelledError, OSError) as error:
            raise self._lost(error) from error
        except KilledWorker as error:
            told = f"{error.allowed_failures + 1} workers died of the same task"
            raise LabFault(told, hint="have they enough memory?") from error
        except Exception as error:  # what a worker does with another rig, or none
            told = f"a worker failed: {type(error).__name__}: {error}"
            raise LabFault(told, hint="install the same rig on scheduler and workers") from error

    def _job(self, plan: SweepPlan, cuts: int) -> Job:
        ours = versions(plan.kind)
        if plan.kind not in self._checked:
            self.check_workers(plan.kind, ours)
            self._checked.add(plan.kind)
        name = hashlib.sha256(pickle.dumps((plan, cuts, dict(ours)))).hexdigest()
        return Job(name, plan, cuts, ours)

    def check_workers(self, kind: str, ours: Mapping[str, str]) -> None:
        """Whether all sweep with what we do; one that comes later looks itself. Raises WorkersLost."""
        found = self._ask(self.client.run, versions, kind, on_error="return")
        for worker, theirs in found.items():
            if isinstance(theirs, OSError):
                continue  # it is gone
            other = str(theirs) if isinstance(theirs, Exception) else difference(ours, theirs)
            if other is not None:
                raise WorkersLost(f"worker {worker} has {other}", hint="install the same on every worker")

    def _ask(self, method: Any, *words: Any, **how: Any) -> Any:
        """The answer to a question of the scheduler or of workers. Raises WorkersLost where none comes."""
        try:
            return self.client.sync(method, *words, callback_timeout=ANSWER, **how)
        except TimeoutError as error:
            raise WorkersLost(f"the cluster at {self.address} does not answer", hint=RESUME) from error
        except Exception as error:  # whatever a connection does that breaks
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> WorkersLost:
        told = f"the scheduler at {self.address} is lost: {str(error) or type(error).__name__}"
        return WorkersLost(told, hint=RESUME)


def merged(whole: Missing, results: Iterable[Result]) -> Iterator[Any]:
    """Results that are new. Raises LabFault where some never came."""
    for result in results:
        if whole.merge(result):
            yield result
    if whole.gaps:
        begin, end = whole.gaps[0]
        raise LabFault(f"nobody answered for operations {begin:,} to {end - 1:,} of {whole.plan.path}")
