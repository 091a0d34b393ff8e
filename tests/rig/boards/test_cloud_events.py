"""What a board's cloud tells: a cloud that dies meanwhile is told of, by the board's name."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from rig.boards.cloud_events import forwarding_events
from rig.errors import LabFault
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from tests.rig.foreign_server import stranger
from tests.rig.waiting import HANGS


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
    with forwarding_events(cloud[1], events.append, board="core-01"):
        pass
    assert events == []


def wait_for_the_listener():
    """Until the thread that hears the events has ended."""
    for thread in threading.enumerate():
        if thread.name == "events of core-01":
            thread.join(HANGS)


def listen_until_it_dies(process, client):
    """Kill the cloud while its events are heard, and wait until who hears them has noticed."""
    with forwarding_events(client, print, board="core-01"):
        process.kill()
        wait_for_the_listener()


def test_events_that_were_lost_are_a_fault_that_names_the_board(cloud):
    with pytest.raises(LabFault, match=r"core-01: the Spark cloud at .* hung up"):
        listen_until_it_dies(*cloud)


#: What somebody else's server tells after it was subscribed to.
STRANGE = {
    "an event without a name": b"{}",
    "a chunk without a number": b'{"event": "chunk", "core": "c"}',
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_cloud_that_tells_something_else_is_a_lab_fault(tmp_path, case):
    told = pytest.raises(LabFault, match=r"core-01: .* tells what no such")
    with stranger(tmp_path, b'{"subscribed": true}', STRANGE[case]) as address, told:
        hear_names(SparkCloudClient.at(address))


def hear_names(client):
    """Hear events until nothing is heard any more."""
    with forwarding_events(client, lambda event: event["event"], board="core-01"):
        wait_for_the_listener()
