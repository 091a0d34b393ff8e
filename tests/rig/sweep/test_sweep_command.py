"""`rig sweep` and `rig replay` as a user types them."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.boards.long_cases import some_always
from tests.rig.rack.rig_up import gone
from tests.rig.waiting import HANGS, until

RIG = [sys.executable, "-m", "rig"]


def rig(*words, **how):
    return subprocess.run([*RIG, *map(str, words)], capture_output=True, text=True, check=False, timeout=120, **how)


def swept(*words):
    ended = rig("sweep", *words, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def copy():
    return swept("spark-core", "ota-copy", "--generation", "a")


def test_the_whole_copy_is_one_command(copy):
    assert copy["points"] > 330_000
    assert copy["starts"] < 100
    assert copy["proved"] == 200
    assert sum(end["points"] for end in copy["outcomes"]) == copy["points"]


def test_the_windows_that_strand_a_board_are_the_flags(copy):
    assert {window["phase"] for window in copy["windows"]} == {"flags"}
    assert all(window["milliseconds"] < 31 and window["share"] < 0.01 for window in copy["windows"])


def test_two_cuts_in_a_row_are_one_option():
    told = swept("spark-core", "ota-copy", "--cuts", "2", "--prove", "20")
    assert told["points"] > 8 * 10**10
    assert {end["became"] for end in told["outcomes"]} == {"new", "old", "dfu"}
    stranded = next(end["capsule"] for end in told["outcomes"] if end["became"] == "dfu")
    assert rig("replay", stranded).returncode == 1


@pytest.mark.long
def test_three_cuts_of_something_short_are_all_started_whole(tmp_path):
    told = swept("spark-core", "server-key", "--generation", "c", "--tears", "", "--cuts", "2", "--exhaustive")
    assert told["proved"] == told["points"] > 1_000
    told = swept("spark-core", "server-key", "--cuts", "3", "--report", str(tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sum(row["points"] for row in rows[1:]) == told["points"]


def test_all_is_a_line_for_each_plan_and_the_same_for_scripts():
    words = ["esp32", "https", "--idf", "all", "--prove", "20"]
    told = swept(*words)
    assert [plan["choices"]["idf"] for plan in told["plans"]] == ["5.5", "5.4", "5.1", "4.4"]
    table = rig("sweep", *words).stdout
    assert all(f"{plan['points']:,}" in table for plan in told["plans"])


def test_a_plan_that_cannot_be_swept_is_told_and_the_others_are_swept(tmp_path):
    taken = tmp_path / "https-client-https-ota-rollback-yes-idf-5.4"
    taken.write_text("no folder\n")
    ended = rig("sweep", "esp32", "https", "--idf", "all", "--prove", "0", "--report", tmp_path)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert f"rig: {taken.name}: cannot write {taken}" in ended.stderr
    assert [idf in ended.stdout for idf in ("5.5", "5.4", "5.1", "4.4")] == [True, False, True, True]


def test_paths_and_choices_are_listed_for_who_asks():
    assert "rig sweep spark-core" in rig("sweep").stdout
    told = rig("sweep", "spark-core").stdout
    assert "ota-copy" in told
    assert "--generation b|" in told


MISUSES = {
    "a kind": (["toaster", "dfu"], "toaster"),
    "a path": (["spark-core", "pigeon"], "pigeon"),
    "a choice": (["spark-core", "dfu", "--idf", "5.5"], "'idf'"),
    "a value": (["spark-core", "dfu", "--generation", "z"], "'z'"),
    "a choice without a value": (["spark-core", "dfu", "--generation"], "--generation"),
    "a tear": (["spark-core", "dfu", "--tears", "suffix"], "suffix"),
    "a file": (["spark-core", "dfu", "--new", "/nowhere"], "/nowhere"),
    "pairs to resume": (["spark-core", "dfu", "--cuts", "2", "--report", "x", "--resume"], "in a row"),
    "a choice that no path has": (["spark-core", "all", "--idf", "all"], "'idf'"),
    "an address of no scheduler": (["spark-core", "dfu", "--scheduler", "somewhere"], "tcp://HOST:PORT"),
    "processes of a scheduler": (["spark-core", "dfu", "--scheduler", "tcp://127.0.0.1:1", "--jobs", "2"], "--jobs"),
    "nothing to resume": (["spark-core", "dfu", "--resume"], "--report"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_one_line_that_names_it(name):
    words, told = MISUSES[name]
    ended = rig("sweep", *words)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


#: How a sweep of a path is ended in the middle, after so many lines: by which signal, with how many processes, and its
#: status then.
ENDED = {"kill -9": ("dfu", 2, signal.SIGKILL, 1, -9), "Ctrl-C": ("factory-button", 6, signal.SIGINT, 2, 130)}


@pytest.mark.parametrize("how", some_always(ENDED, "kill -9"))
def test_a_sweep_that_was_ended_leaves_no_process_and_is_resumed_to_the_same_end(tmp_path, how):
    name, lines, number, jobs, status = ENDED[how]
    path = ["spark-core", name]
    words = [*path, "--report", tmp_path / "killed", "--jobs", jobs]
    with subprocess.Popen([*RIG, "sweep", *map(str, words)], stdout=subprocess.DEVNULL) as process:
        ledger = tmp_path / "killed" / "sweep.jsonl"
        while not ledger.exists() or ledger.read_bytes().count(b"\n") < lines:
            assert process.poll() is None, "it was over before it was killed"
            time.sleep(0.01)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
    assert (process.returncode, gone(family)) == (status, True)
    if how == "Ctrl-C":  # it has gone on for a while
        assert " of them so far" in (tmp_path / "killed" / "map.svg").read_text()
    before = ledger.read_bytes()[: ledger.read_bytes().rfind(b"\n") + 1]
    resumed, whole = swept(*words, "--resume"), swept(*path)
    assert (resumed["points"], resumed["spans"]) == (whole["points"], whole["spans"])
    assert ledger.read_bytes().startswith(before)
    assert "<svg" in (tmp_path / "killed" / "map.svg").read_text()


def test_the_processes_of_a_sweep_that_is_killed_end_with_it():
    with subprocess.Popen([*RIG, "sweep", "spark-core", "factory-button", "--jobs", "2"]) as process:
        until(lambda: psutil.Process(process.pid).children(), "its processes", seconds=HANGS)
        children = psutil.Process(process.pid).children()
        process.kill()
    psutil.wait_procs(children, timeout=10)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_report_that_is_there_is_not_written_over(tmp_path):
    words = ["spark-core", "server-key", "--report", tmp_path]
    assert rig("sweep", *words).returncode == 0
    again = rig("sweep", *words)
    assert (again.returncode, "--resume" in again.stderr) == (2, True)


def test_a_ledger_that_cannot_grow_any_more_is_named_in_one_line(tmp_path):
    words = ["spark-core", "ota-copy", "--report", tmp_path]
    ended = rig("sweep", *words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1)))
    assert ended.returncode in (2, 3)
    assert f"cannot write {tmp_path / 'sweep.jsonl'}" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def capsule(copy):
    window = copy["windows"][0]
    line = copy["windows"][0]["capsule"]
    assert f"cut={window['first']}:" in line
    return line


def test_a_capsule_says_1_while_it_still_happens(capsule):
    assert rig("replay", capsule).returncode == 1


def test_a_trace_tells_operations_questions_and_the_end(capsule):
    lines = rig("replay", capsule, "--trace").stdout.splitlines()
    assert lines[0] == "the update:"
    assert any(line.startswith("cut 1: ") for line in lines)
    assert any(line.startswith("  asks all of 0x8004c00 to 0x8005000: ") for line in lines)
    assert "settled: dfu, healed by reflash" in lines


def test_it_says_0_when_it_does_not(capsule):
    assert rig("replay", capsule, "--expect", "new").returncode == 0


def test_it_says_2_when_it_cannot_be_read(capsule):
    ended = rig("replay", capsule.replace("cut=", "cut=9"))
    assert (ended.returncode, "was changed" in ended.stderr) == (2, True)


def test_a_replay_tells_a_script_how_it_ended(capsule):
    told = json.loads(rig("replay", capsule, "--json").stdout)
    assert told == {"became": "dfu", "rung": "reflash", "still_happens": True}


def test_a_ledger_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "sweep.jsonl")
    ended = rig("sweep", "spark-core", "server-key", "--report", tmp_path, "--resume")
    assert (ended.returncode, "it is no file" in ended.stderr) == (2, True)
