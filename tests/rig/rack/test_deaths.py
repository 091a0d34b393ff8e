"""What dies in the middle of `rig run`: a part of the rack is a lab fault in one line, a killed run loses one cut."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rig.clock import Clock, wait_for
from rig.evidence.ledger import unfinished
from rig.firmware.checkout import part
from tests.boards.long_cases import some_always
from tests.rig.rack.rig_up import Up, gone
from tests.rig.waiting import HANGS

RUN = [sys.executable, "-m", "rig", "run", "--json", "--rack", str(part("places", "virtual.yaml"))]


def rig_run(rack: Up, report: Path, *words: str) -> subprocess.Popen[str]:
    """A run of the programming cuts on a rack that is up."""
    env = {**os.environ, "LG_COORDINATOR": rack.coordinator}
    return subprocess.Popen([*RUN, "--report", str(report), *words], env=env, stdout=subprocess.PIPE, text=True)


def in_flight(report: Path, cuts: int) -> None:
    """Wait until so many segments of the ledger tell of a cut that has begun."""
    wait_for(
        lambda: sum(bool(unfinished(path)) for path in (report / "ledger").glob("*.jsonl")) >= cuts,
        seconds=60, reason="cuts to begin", clock=Clock(), board="rack", every=0.01,
    )  # fmt: skip


def lines(report: Path) -> int:
    """How many lines the ledger of a run has by now."""
    return sum(path.read_text().count("\n") for path in (report / "ledger").glob("*.jsonl"))


@pytest.fixture
def racks():
    """Starts racks, and ends them however the test does."""
    with contextlib.ExitStack() as stack:

        def start(cores: int) -> Up:
            rack = Up("--cores", str(cores), "--time-scale", "0.1")
            stack.callback(lambda: rack.process.poll() is None and rack.end())
            return rack

        yield start


@pytest.mark.long
def test_an_exporter_that_dies_is_started_again_and_a_run_that_holds_its_boards_goes_on(tmp_path, racks):
    rack = racks(1)
    run = rig_run(rack, tmp_path / "r", "-n", "1", "-k", "programming")
    in_flight(tmp_path / "r", 1)
    rack.children()["exporter"].kill()
    run.communicate(timeout=HANGS)
    assert run.returncode == 0
    assert "exporter died" in rack.end()[1]


DEATHS = {
    "relay": "relay.*does.not",
    "core-01": "core-01.*(No such device|no.USB.IP.at)",
    "coordinator": "the coordinator at .* went away",
}


@pytest.mark.long
@pytest.mark.parametrize("part_of_rack", some_always(DEATHS, "relay"))
def test_a_part_that_dies_in_mid_run_is_a_lab_fault_in_one_line(tmp_path, racks, part_of_rack):
    rack = racks(1)
    run = rig_run(rack, tmp_path / "r", "-n", "1", "-k", "programming")
    in_flight(tmp_path / "r", 1)
    rack.children()[part_of_rack].kill()
    events = [json.loads(line) for line in run.communicate(timeout=HANGS)[0].splitlines()]
    faults = [event["message"] for event in events if event.get("result") == "lab fault"]
    assert (run.returncode, events[-1]["verdict"]) == (3, "lab fault")
    assert len(faults) in (1, 2), events
    for fault in faults:
        assert re.search(DEATHS[part_of_rack], fault), fault
        assert "\n" not in fault
    status, said = rack.end()
    assert status == 3
    assert f"{part_of_rack} died" in said


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.long)])
def test_a_killed_run_loses_at_most_the_cuts_in_flight_and_leaves_no_board_off_for_the_next(tmp_path, racks, workers):
    rack = racks(workers)
    run = rig_run(rack, tmp_path / "r", "-n", str(workers), "-k", "programming")
    in_flight(tmp_path / "r", min(workers, 2))
    family = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    written = lines(tmp_path / "r")
    assert gone(family)
    assert lines(tmp_path / "r") == written, "a worker went on"
    assert all(len(unfinished(segment)) <= 1 for segment in (tmp_path / "r" / "ledger").glob("*.jsonl"))
    assert report_of(tmp_path / "r").count("This run was killed") == 1
    again = rig_run(rack, tmp_path / "next", "-k", "crashes", "-n", "1")
    told, _ = again.communicate(timeout=HANGS)
    assert again.returncode == 0, told
    for place in rack.ready["places"]:
        rack.client("-p", place, "acquire")
        assert "is on" in rack.client("-p", place, "power", "get")


def report_of(report: Path) -> str:
    """The summary of a run that was killed, written from what it left."""
    command = [sys.executable, "-m", "rig", "report", str(report), "--rebuild"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, done.stderr) == (3, "")
    return (report / "summary.md").read_text()


def holder_of(rack: Up, place: str) -> psutil.Process:
    """The worker that has a place, by its mark there."""
    return psutil.Process(int(re.search(r"rig/[^:]+:[^:]+:[^:]+:(\d+):", rack.client("-p", place, "show"))[1]))


@pytest.mark.long
def test_a_worker_that_is_killed_loses_its_test_and_the_run_goes_on_with_its_board(tmp_path, racks):
    rack = racks(2)
    run = rig_run(rack, tmp_path / "r", "-n", "2", "-k", "programming or page or erasing")
    in_flight(tmp_path / "r", 2)
    holder_of(rack, "core-01").kill()
    events = [json.loads(line) for line in run.communicate(timeout=HANGS)[0].splitlines()]
    finished = [event for event in events if event["event"] == "finished"]
    results = [event["result"] for event in finished if event["result"] != "not run here"]
    assert (run.returncode, results.count("lab fault"), set(results)) == (3, 1, {"lab fault", "passed"})
    assert {event["name"] for event in events if event["event"] == "started"} == {event["name"] for event in finished}
    assert any(event["text"] == "brought back: core-01" for event in events if event["event"] == "told")


#: How many random moments: one every time, `RIG_KILLS=50` for a soak.
KILLS = int(os.environ.get("RIG_KILLS", "1"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(KILLS))
def test_whatever_is_killed_whenever_one_command_brings_every_board_back(tmp_path, racks, seed):
    rng = random.Random(seed)
    rack = racks(2)
    run = rig_run(rack, tmp_path / "r", "-n", "2", "-k", "programming or erasing")
    assert any('"collected"' in line for line in iter(run.stdout.readline, ""))
    time.sleep(rng.uniform(0, 12))
    victim = rng.choice(["run", "exporter", "coordinator", "relay", "core-01", "core-02"])
    family = psutil.Process(run.pid).children(recursive=True)
    (psutil.Process(run.pid) if victim == "run" else rack.children()[victim]).kill()
    run.communicate(timeout=HANGS)
    assert gone(family)
    for segment in (tmp_path / "r" / "ledger").glob("*.jsonl"):
        assert len(unfinished(segment)) <= (1 if victim in ("run", "relay", "core-01", "core-02") else 0), victim
    wait_for(
        lambda: health(rack, "--reap", "--control-cut") == {"core-01": "ok", "core-02": "ok"},
        seconds=60, reason=f"every board to come back after the death of {victim}", clock=Clock(), board="rack",
    )  # fmt: skip
    for place in rack.ready["places"]:
        assert place not in rack.client("who")
        rack.client("-p", place, "acquire")
        assert "is on" in rack.client("-p", place, "power", "get")


def health(rack: Up, *words: str) -> dict[str, str]:
    command = [sys.executable, "-m", "rig", "lab", "health", "--json", *words, "--coordinator", rack.coordinator]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    print(done.stderr)  # pytest shows it where a test fails
    return {row["place"]: row["health"] for row in map(json.loads, done.stdout.splitlines())}
