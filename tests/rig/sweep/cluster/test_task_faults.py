"""A task that ended without a result, or that nobody will end, is one line that says whose fault it is."""

from __future__ import annotations

from concurrent.futures import CancelledError

import pytest

from rig.errors import LabFault, Misuse
from rig.sweep.campaign import Campaign
from rig.sweep.cluster import under_way
from rig.sweep.cluster.cluster import Cluster
from rig.sweep.sweep import ModelSweep
from rig.sweep.workers import WorkersLost
from tests.rig.sweep.cluster.checks_cluster import cluster_here
from tests.rig.sweep.plans import core_plan

distributed = pytest.importorskip("distributed")
FAULTS = {
    "the scheduler's connection": (CancelledError("rig-cuts-1"), WorkersLost, "the scheduler at tcp://here:1 is lost"),
    "a connection that breaks": (OSError("reset"), WorkersLost, "is lost: reset"),
    "a worker that falls silent": (TimeoutError(), WorkersLost, "does not hand over what it did"),
    "workers that die": (distributed.KilledWorker("rig-cuts-1", None, 3), LabFault, "4 workers died of the same task"),
    "a worker without the rig": (ModuleNotFoundError("No module named 'rig'"), LabFault, "No module named 'rig'"),
    "our own words": (Misuse("no update path is called so"), Misuse, "no update path is called so"),
}


class Ended:
    """A task that ended so."""

    def __init__(self, error):
        self._error = error

    def result(self, timeout):
        raise self._error


@pytest.mark.parametrize("name", FAULTS)
def test_a_task_that_has_no_result_is_told_by_its_fault(name):
    error, kind, told = FAULTS[name]
    with pytest.raises(kind) as fault:
        Cluster(client=None, address="tcp://here:1").result_of(Ended(error))
    assert type(fault.value) is kind
    assert told in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_worker_that_is_not_to_be_used_ends_a_campaign(monkeypatch):
    monkeypatch.setattr("rig.sweep.cluster.cluster.difference", lambda ours, theirs: "Python 2.7.18")
    with cluster_here() as cluster, pytest.raises(WorkersLost, match=r"worker inproc\S+ has Python 2\.7\.18"):
        list(Campaign(cluster, 1, 0).lines([core_plan("server-key"), core_plan("factory-image")]))


def test_a_sweep_whose_workers_are_all_gone_ends(monkeypatch):
    monkeypatch.setattr(under_way, "LOOK", 0.01)
    with cluster_here(workers=0, patience=0.05) as cluster:
        results = cluster.sweep(ModelSweep(core_plan("server-key")))
        with pytest.raises(WorkersLost, match="inproc has no worker"):
            list(results)
