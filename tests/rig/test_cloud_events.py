"""What a board's cloud tells: a cloud that dies meanwhile is told of, by the board's name."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from waiting import HANGS

from rig.boards.cloud_events import heard
from rig.drivers.spark_cloud import SparkCloudClient
from rig.errors import LabFault


@pytest.fixture
def cloud(tmp_path):
    """A Spark cloud as a process, and a client of it."""
    ports = ("--listen", "127.0.0.1:0", "--control", f"unix:{tmp_path}/c.sock")
    keys = ("--server-key", str(tmp_path / "server.pem"), "--core-keys", str(tmp_path))
    command = [sys.executable, "-m", "rig", "cloud", "spark", *ports, *keys, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        control = json.loads(process.stdout.readline())["control"]
        yield process, SparkCloudClient.at(control["address"])
        process.kill()


def test_who_stops_to_listen_is_told_of_nothing(cloud):
    events = []
    with heard(cloud[1], events.append, board="core-01"):
        pass
    assert events == []


def listen_until_it_dies(process, client):
    """Kill the cloud while its events are heard, and wait until who hears them has noticed."""
    with heard(client, print, board="core-01"):
        process.kill()
        (listener,) = (thread for thread in threading.enumerate() if thread.name == "events of core-01")
        listener.join(HANGS)


def test_events_that_were_lost_are_a_fault_that_names_the_board(cloud):
    with pytest.raises(LabFault, match=r"core-01: the Spark cloud at .* hung up"):
        listen_until_it_dies(*cloud)
