"""Named checks of test_mutants about clusters: what a task does, what becomes of its result, and who may sweep."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from rig.errors import LabFault
from rig.sweep.chunk import ChunkResult
from rig.sweep.cluster import task
from rig.sweep.cluster.cluster import Cluster, merged
from rig.sweep.cluster.task import Job, sweep_from
from rig.sweep.cluster.under_way import UnderWay, divided
from rig.sweep.cluster.versions import versions
from rig.sweep.kept_sweep import KeptSweep
from rig.sweep.rows import RowSweep
from rig.sweep.sweep import ModelSweep
from rig.sweep.workers import ThisMachine, WorkersLost
from tests.rig.sweep.plans import core_plan

CORE = "spark-core"


@contextmanager
def cluster_here(workers: int = 1, **how: float) -> Iterator[Cluster]:
    """A scheduler and workers in this process, which planted faults reach; a task is over at the first look."""
    from distributed import Client

    task._kept.clear()
    here = {"processes": False, "dashboard_address": ":0", "set_as_default": False}
    with Client(n_workers=workers, threads_per_worker=2, **here) as client:
        yield Cluster(client, "inproc", **{"task_seconds": 0, **how})


def cuts_on_a_cluster_are_those_on_one_machine(_folder):
    alone, sweep = ModelSweep(core_plan("server-key")), ModelSweep(core_plan("server-key"))
    list(alone.run(jobs=1))
    with cluster_here() as cluster:
        found = _fault(lambda: list(cluster.sweep(sweep)))
    assert (found, sweep.progress.spans) == ("", alone.progress.spans)
    assert len(sweep.progress.results) > 10


def rows_of_cuts_on_a_cluster_are_those_on_one_machine(_folder):
    alone, sweep = RowSweep(core_plan("ota-copy"), 2), RowSweep(core_plan("ota-copy"), 2)
    list(alone.run())
    with cluster_here(task_seconds=60) as cluster:
        list(cluster.sweep_rows(sweep))
    assert sweep.count() == alone.count()


def what_a_cluster_began_is_ended_here(folder):
    plan = core_plan("server-key")
    with cluster_here() as cluster:
        begun = KeptSweep(plan, cluster, folder, resume=False).results()
        known = list(islice(begun, 3))
        begun.close()
    ended = KeptSweep(plan, ThisMachine(jobs=1), folder, resume=True)
    list(ended.results())
    assert [chunk.end - chunk.begin for chunk in known] == [16, 16, 16]
    assert (ended.whole.gaps, ended.whole.progress.points) == ([], 773)


def a_result_that_arrives_twice_is_told_once(_folder):
    sweep = ModelSweep(core_plan("server-key"))
    job = Job("twice", sweep.plan, 1, versions(CORE))
    results = sweep_from(job, 0, sweep.scenario.update.operations + 1, seconds=60)
    assert list(merged(sweep, [*results, *results])) == results
    assert sweep.progress.points == sum(result.points for result in results)


def what_nobody_answered_for_is_a_fault(_folder):
    sweep = ModelSweep(core_plan("server-key"))
    results = sweep_from(Job("lost", sweep.plan, 1, versions(CORE)), 0, 200, seconds=60)
    assert "nobody answered for operations 200 to 257" in _fault(lambda: list(merged(sweep, results)))


def a_task_goes_on_from_its_begin_to_its_end(_folder):
    job = Job("stretch", core_plan("server-key"), 1, versions(CORE))
    done = [(result.begin, result.end) for result in sweep_from(job, 10, 100, seconds=60)]
    assert done == [(10, 26), (26, 58), (58, 100)]
    assert [(result.begin, result.end) for result in sweep_from(job, 10, 100, seconds=0)] == [(10, 26)]


def what_a_task_left_is_divided_whole(_folder):
    assert divided(0, 10, 35, most=8) == [(10, 18), (18, 26), (26, 35)]
    assert divided(0, 10, 1_000, most=2) == [(10, 505), (505, 1_000)]
    assert divided(0, 35, 35, most=8) == []


def a_worker_tells_plans_apart(_folder):
    """Each is swept with its own update, though the worker has kept another."""
    with cluster_here() as cluster:
        for path in ("server-key", "factory-image"):
            sweep, alone = ModelSweep(core_plan(path)), ModelSweep(core_plan(path))
            list(alone.run(jobs=1))
            cluster.task_seconds = 60
            found = _fault(lambda sweep=sweep: list(cluster.sweep(sweep)))
            assert (found, sweep.progress.spans) == ("", alone.progress.spans)


def updates_that_a_worker_keeps_are_bounded(_folder):
    for number in range(2 * task.MOST_KEPT):
        sweep_from(Job(f"kept {number}", core_plan("server-key"), 1, versions(CORE)), 0, 1, seconds=0)
    assert len(task._kept) == task.MOST_KEPT
    assert f"kept {number}" in task._kept


def threads_of_a_worker_sweep_one_after_the_other(_folder):
    job, meeting, met = Job("threads", core_plan("server-key"), 1, versions(CORE)), threading.Barrier(2), []

    class Sweeper:
        """Waits a little for another who sweeps at the same time."""

        def sweep(self, begin, end):
            try:
                meeting.wait(0.3)
                met.append(begin)
            except threading.BrokenBarrierError:
                meeting.reset()

    task._kept[job.name] = Sweeper()
    threads = [threading.Thread(target=sweep_from, args=(job, begin, begin + 1, 0)) for begin in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == []


def images_travel_once(_folder):
    sizes, sweep = [], ModelSweep(core_plan("server-key"))
    with cluster_here() as cluster:
        real = cluster.client.submit
        cluster.client.submit = lambda does, *what, **how: [
            sizes.append(sum(len(pickle.dumps(one)) for one in what if not hasattr(one, "key"))),
            real(does, *what, **how),
        ][1]
        list(cluster.sweep(sweep))
    first, *others = sizes
    assert first > sum(map(len, sweep.plan.images.values()))
    assert max(others) < 100


def a_worker_with_other_versions_says_who_it_is(_folder):
    job = Job("other", core_plan("server-key"), 1, {**versions(CORE), "rig": "0.0.9"})
    with cluster_here() as cluster:
        found = _fault(lambda: cluster.result_of(cluster.client.submit(sweep_from, job, 0, 1, 0)))
    assert found.startswith("worker inproc://")
    assert f"has rig {versions(CORE)['rig']}, and the sweep has 0.0.9" in found


def workers_are_asked_for_their_versions_first(_folder):
    with cluster_here() as cluster:
        found = _fault(lambda: cluster.check_workers(CORE, {"Python": "2.7.18"}))
    assert found.startswith("worker inproc://")
    assert "and the sweep has 2.7.18" in found


def a_cluster_without_workers_is_lost(_folder):
    with cluster_here(workers=0, patience=0.01) as cluster:
        found = _fault(cluster.wait_for_worker, WorkersLost)
    assert found == "inproc has no worker"


def what_is_left_is_taken_back(_folder):
    job, go_on = Job("back", core_plan("server-key"), 1, versions(CORE)), threading.Event()

    class Sweeper:
        """Comes to no end but of the first stretch."""

        def sweep(self, begin, end):
            return ChunkResult(begin, end, (), 0, 0) if begin == 0 else go_on.wait(60)

    with cluster_here() as cluster:
        task._kept[job.name] = Sweeper()
        under_way = UnderWay(cluster, job, [(0, 48)])
        results = under_way.results()
        next(results)
        results.close()
        left = [key for key, state in cluster.client.futures.items() if state.status == "pending"]
        go_on.set()
    assert left == []


def _fault(does, kind=LabFault) -> str:
    try:
        does()
    except kind as fault:
        return fault.message
    return ""
