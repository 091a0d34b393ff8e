"""A run in its ledger: it goes on, is killed, is ended once, and no other goes on in its folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from rig.errors import LabFault, Misuse
from rig.evidence.ledger import Ledger
from rig.evidence.run_life import OpenRun, end_joined_run, end_killed_run, end_killed_runs, join_run
from rig.evidence.run_manifest import RunManifest
from tests.rig.evidence.tampering import forged, put, write_run
from tests.rig.evidence.test_ledger_verify import verify

_KILLED = """
import os, sys
from pathlib import Path
from rig.evidence.ledger import Ledger
from rig.evidence.run_life import join_run
join_run(Path(sys.argv[1]), "r1")
ledger = Ledger(Path(sys.argv[1]) / "gw0.jsonl")
ledger.append("intent", {"run": "r1", "trial": "1"})
os.write(ledger._file.fileno(), b'{"aim":{"ph')
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that writes a run's ledger, in the middle of a line."""
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "r" / "ledger")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_run_that_goes_on_is_left_alone(tmp_path, writer):
    status, result = verify(tmp_path / "r")
    assert (status, result["ledgers"][0]["state"], result["changed"]) == (3, "open", [])
    assert end_killed_runs(tmp_path, "rig run") == []


def test_a_killed_run_is_ended_by_the_next_command_and_told_as_what_it_is(tmp_path, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    (ended,) = end_killed_runs(tmp_path, "rig run")
    assert (ended.state, ended.ended_by, ended.segments[0].torn) == ("unfinished", "rig run", 11)
    assert verify(tmp_path / "r")[0] == 3
    put(tmp_path / "r" / "ledger" / "gw0.jsonl", [])
    assert verify(tmp_path / "r")[0] == 1, "what is lost after that is found"


def test_verify_ends_a_killed_run_itself(tmp_path, writer):
    writer.kill()
    writer.wait()
    status, result = verify(tmp_path / "r")
    assert (status, result["ledgers"][0]["state"]) == (3, "unfinished")
    assert RunManifest.read(tmp_path / "r" / "ledger" / "run.json").ended_by == "rig ledger verify"


def test_a_run_ends_itself_once_and_only_itself(tmp_path):
    run = OpenRun.begin(tmp_path, "r1")
    with Ledger(tmp_path / "gw0.jsonl") as ledger:
        ledger.append("cut", {"run": "r1"})
    end_joined_run(tmp_path, "r2")
    assert end_killed_run(tmp_path, "somebody").state == "open", "between two segments nobody else ends it"
    assert run.end() == RunManifest.read(tmp_path / "run.json").head
    assert end_killed_run(tmp_path, "nobody").ended_by is None
    assert RunManifest.read(tmp_path / "run.json").segments[0].head == ledger.head


def test_a_run_whose_worker_still_writes_is_not_ended(tmp_path):
    run = OpenRun.begin(tmp_path, "r1")
    with Ledger(tmp_path / "gw0.jsonl") as ledger:
        ledger.append("cut", {"run": "r1"})
        assert run.end() is None
    assert RunManifest.read(tmp_path / "run.json").state == "open"
    end_joined_run(tmp_path, "r1")
    assert RunManifest.read(tmp_path / "run.json").state == "finished"


def killed_in_between(folder):
    join_run(folder, "r0")
    put(folder / "gw0.jsonl", forged([{"kind": "cut", "run": "r0"}]))


#: What may be in a folder that a run is to be written into.
OLD = {
    "a run that is finished": write_run,
    "a run that was killed": killed_in_between,
    "segments that no manifest names": lambda folder: (write_run(folder) / "run.json").unlink(),
}


@pytest.mark.parametrize("begin", [OpenRun.begin, join_run])
@pytest.mark.parametrize("what", OLD)
def test_no_run_goes_on_with_the_ledger_of_an_old_one(tmp_path, what, begin):
    folder = tmp_path / "ledger"
    folder.mkdir()
    OLD[what](folder)
    with pytest.raises(Misuse, match="has the ledger of another run"):
        begin(folder, "r1")


def test_two_runs_never_write_into_one_folder(tmp_path):
    run = OpenRun.begin(tmp_path, "r1")
    with pytest.raises(Misuse, match="another process writes a run"):
        OpenRun.begin(tmp_path, "r1")
    assert run.end() is not None


def test_a_run_whose_ledger_was_removed_is_a_lab_fault_and_no_finished_run(tmp_path):
    run = OpenRun.begin(tmp_path / "ledger", "r1")
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "ledger").mkdir()
    with pytest.raises(LabFault, match="was removed while the run went on"):
        run.end()
    assert not (tmp_path / "ledger" / "run.json").exists()


def test_a_killed_run_that_cannot_be_ended_is_not_told_as_ended(tmp_path):
    killed_in_between(tmp_path / "r" / "ledger")
    (tmp_path / "r" / f".run.json.{os.getpid()}").mkdir()  # where it is written first
    assert end_killed_runs(tmp_path, "rig run") == []
    assert end_killed_run(tmp_path / "r" / "ledger", "rig ledger verify").state == "unfinished"
