"""Planted faults of clusters: chunks that are lost, done twice or mixed up, and workers that nobody looks at."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from rig.sweep.cluster import cluster, task, under_way
from rig.sweep.sweep import ModelSweep
from tests.rig.sweep.cluster import checks_cluster as check


def _lost_part(begin, reached, end, most, real=under_way.divided):
    return real(begin, reached, end, most)[:-1]


def _lost_operations(begin, reached, end, most, real=under_way.divided):
    return [(first, behind - 1) for first, behind in real(begin, reached, end, most)]


def _told_as_often(whole, results):
    for result in results:
        whole.merge(result)
        yield result


def _merged_whatever_is_missing(whole, results):
    return (result for result in results if whole.merge(result))


def _beyond(job, begin, end, seconds):
    """The last step is not cut off at the end."""
    sweeper, results, step = task._sweeper(job), [], task.FIRST
    while begin < end:
        results.append(sweeper.sweep(begin, begin + step))
        begin, step = begin + step, 2 * step
    return results


class _KeepsAll(task.OrderedDict):
    """Forgets nothing, and is not asked to."""

    def popitem(self, last=True):
        self.full = True

    def __len__(self):
        return super().__len__() if not getattr(self, "full", False) else 0


def _any_that_is_kept(job):
    if not task._kept:
        task._kept[job.name] = task._made(job)
    return next(iter(task._kept.values()))


def _chunks_that_nobody_began(sweep):
    begun = [begin for begin, _ in sweep.progress.results]
    return [chunk for chunk in sweep.chunks if not any(chunk[0] <= begin < chunk[1] for begin in begun)]


def _without_tears(job, real=task._made):
    return real(replace(job, plan=replace(job.plan, tears=())))


def _give_it_whole(self, begin, end):
    """Every task has the job, with all images, instead of the name of one that is there."""
    job = self._job.result()
    future = self._cluster.client.submit(under_way.sweep_from, job, begin, end, 0, key=f"rig-cuts-{begin}-{end}")
    self._chunks[future] = (begin, end)
    future.add_done_callback(self._done.put)


def _results_that_are_left(self):
    while self._chunks:
        future = self._next()
        begin, end = self._chunks.pop(future)
        found = self._cluster.result_of(future)
        for stretch in under_way.divided(begin, found[-1].end, end, most=self._threads):
            self._give(*stretch)
        yield from found


MUTANTS = {
    "cluster: the last part of what a task left is lost": (
        lambda m: m.setattr(under_way, "divided", _lost_part),
        check.cuts_on_a_cluster_are_those_on_one_machine,
    ),
    "cluster: a worker tears nothing": (
        lambda m: m.setattr(task, "_made", _without_tears),
        check.rows_of_cuts_on_a_cluster_are_those_on_one_machine,
    ),
    "cluster: a chunk counts as done here that was begun there": (
        lambda m: m.setattr(ModelSweep, "left", property(_chunks_that_nobody_began)),
        check.what_a_cluster_began_is_ended_here,
    ),
    "cluster: a result is told as often as it arrives": (
        lambda m: m.setattr(check, "merged", _told_as_often),
        check.a_result_that_arrives_twice_is_told_once,
    ),
    "cluster: what is missing at the end is not looked at": (
        lambda m: m.setattr(check, "merged", _merged_whatever_is_missing),
        check.what_nobody_answered_for_is_a_fault,
    ),
    "cluster: a task goes beyond its end": (
        lambda m: m.setattr(check, "sweep_from", _beyond),
        check.a_task_goes_on_from_its_begin_to_its_end,
    ),
    "cluster: an operation between two parts is lost": (
        lambda m: m.setattr(check, "divided", _lost_operations),
        check.what_a_task_left_is_divided_whole,
    ),
    "cluster: a worker takes the update that it has": (
        lambda m: m.setattr(task, "_sweeper", _any_that_is_kept),
        check.a_worker_tells_plans_apart,
    ),
    "cluster: a worker keeps every update": (
        lambda m: m.setattr(task, "_kept", _KeepsAll()),
        check.updates_that_a_worker_keeps_are_bounded,
    ),
    "cluster: threads of a worker share flash": (
        lambda m: m.setattr(task, "_one_at_a_time", nullcontext()),
        check.threads_of_a_worker_sweep_one_after_the_other,
    ),
    "cluster: images travel with every task": (
        lambda m: m.setattr(under_way.UnderWay, "_give", _give_it_whole),
        check.images_travel_once,
    ),
    "cluster: a worker does not look at its versions": (
        lambda m: m.setattr(task, "difference", lambda ours, theirs: None),
        check.a_worker_with_other_versions_says_who_it_is,
    ),
    "cluster: workers are not asked for their versions": (
        lambda m: m.setattr(cluster, "difference", lambda ours, theirs: None),
        check.workers_are_asked_for_their_versions_first,
    ),
    "cluster: nobody looks whether there are workers": (
        lambda m: m.setattr(cluster.Cluster, "wait_for_worker", lambda self: None),
        check.a_cluster_without_workers_is_lost,
    ),
    "cluster: what was given is left to the workers": (
        lambda m: m.setattr(under_way.UnderWay, "results", _results_that_are_left),
        check.what_is_left_is_taken_back,
    ),
}
