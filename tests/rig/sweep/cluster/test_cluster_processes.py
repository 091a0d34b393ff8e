"""Sweeps on a scheduler and workers that are processes of their own, one of which is killed in mid-sweep."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rig
from rig.errors import LabFault
from rig.sweep.campaign import Campaign
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cluster.connect import connected
from rig.sweep.sweep import ModelSweep
from rig.sweep.workers import ThisMachine, WorkersLost
from tests.rig.sweep.cluster.dask_processes import dask_processes
from tests.rig.sweep.plans import core_plan, plan_of
from tests.rig.waiting import HANGS, until

pytest.importorskip("distributed")
#: One scheduler for all, wherever they run.
pytestmark = pytest.mark.xdist_group("dask")
RIG = [sys.executable, "-m", "rig", "sweep"]


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    with dask_processes(tmp_path_factory.mktemp("dask")) as started:
        for name in ("first", "second"):
            started.start_worker(name)
        yield started


@pytest.fixture
def cluster(dask):
    with connected(dask.address) as found:
        has_threads(found, 2)
        yield found


def has_threads(cluster, count):
    until(lambda: cluster.threads() == count, f"{count} workers", seconds=HANGS)


def swept(*words):
    ended = subprocess.run([*RIG, *words, "--json"], capture_output=True, text=True, check=False, timeout=HANGS)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_a_sweep_on_a_cluster_is_the_sweep_on_one_machine(dask):
    told, alone = swept("spark-core", "ota-copy", "--scheduler", dask.address), ModelSweep(core_plan("ota-copy"))
    list(alone.run(jobs=1))
    assert told["points"] == alone.progress.points
    assert told["spans"] == [span.to_dict() for span in alone.progress.spans]


def test_a_campaign_on_a_cluster_is_the_campaign_on_one_machine(dask):
    told = swept("esp32", "https", "--idf", "all", "--prove", "20", "--scheduler", dask.address)
    plans = [plan_of("esp32", "https", idf=plan["choices"]["idf"]) for plan in told["plans"]]
    alone = [line.to_dict() for line in Campaign(ThisMachine(jobs=1), 1, 0).lines(plans)]
    assert len(plans) == 4
    assert [plan["outcomes"] for plan in told["plans"]] == [plan["outcomes"] for plan in alone]


def test_what_a_killed_worker_was_given_is_done_by_the_others(dask, cluster):
    alone, sweep = ModelSweep(core_plan("dfu")), ModelSweep(core_plan("dfu"))
    list(alone.run(jobs=1))
    for k in range(500, 4500, 500):  # what is missing are nine tasks
        sweep.merge(ChunkSweep(sweep.scenario, sweep.plan.tears, 0).sweep(k, k + 1))
    dask.start_worker("victim")
    has_threads(cluster, 3)
    list(cluster.sweep(ModelSweep(core_plan("server-key"))))
    dask.halt("victim")  # else it might be done before it is killed
    results = cluster.sweep(sweep)
    until(lambda: given_to(cluster, "victim"), "work for the victim", seconds=HANGS)
    dask.kill("victim")
    list(results)
    assert cluster.threads() == 2
    assert (sweep.progress.points, sweep.progress.spans) == (alone.progress.points, alone.progress.spans)


def given_to(cluster, name):
    """The tasks of sweeps that a worker has and has not ended."""
    workers = cluster.client.scheduler_info()["workers"]
    address = next(address for address, worker in workers.items() if worker["name"] == name)
    return [key for key in cluster.client.processing()[address] if key.startswith("rig-")]


def test_a_worker_with_another_rig_is_refused_by_name_and_both_versions(dask, tmp_path):
    other = tmp_path / "rig"
    shutil.copytree(Path(rig.__file__).parent, other, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "errors.py").open("a").write("# of another day\n")
    dask.start_worker("other", PYTHONPATH=tmp_path)
    with connected(dask.address) as cluster:
        has_threads(cluster, 3)
        with pytest.raises(LabFault, match=r"worker tcp://\S+ has rig 0\S+ of sources \w+, and the sweep has 0"):
            cluster.sweep(ModelSweep(core_plan("server-key")))
        dask.kill("other")
        has_threads(cluster, 2)


def test_ctrl_c_takes_back_what_was_given(dask, cluster, tmp_path):
    words = ["spark-core", "factory-button", "--report", tmp_path, "--scheduler", dask.address]
    with subprocess.Popen([*RIG, *map(str, words)], stderr=subprocess.PIPE, text=True) as process:
        ledger = tmp_path / "sweep.jsonl"
        until(lambda: ledger.exists() and ledger.read_bytes().count(b"\n") > 1, "a result", seconds=HANGS)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=HANGS)
    until(lambda: not tasks(cluster), "no task that is left", seconds=HANGS)
    assert process.returncode != 0
    assert "Traceback" not in told


def tasks(cluster):
    known = cluster.client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
    return [key for key in known if key.startswith("rig-")]


def test_a_scheduler_that_is_lost_in_mid_sweep_is_one_line(tmp_path):
    with dask_processes(tmp_path) as own:
        own.start_worker("only")
        with connected(own.address) as cluster:
            results = cluster.sweep(ModelSweep(core_plan("dfu")))
            own.kill("scheduler")
            with pytest.raises(WorkersLost, match=f"the scheduler at {own.address} is lost"):
                list(results)
