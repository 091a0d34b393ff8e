"""`rig run` as a user starts it: report, events, exit status, and what a kill in the middle of a cut leaves."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

import psutil
import pytest

from rig.evidence.ledger import read_ledger
from rig.evidence.results import TestResult, judge
from rig.evidence.time_spent import AFTER, BOARD, KNOWN, LANDING, OUTCOME, UPDATE, spent_of
from rig.firmware.checkout import part
from tests.rig.firmware.checks_expectations import ENTRY
from tests.rig.firmware.own_firmware import lamp, written
from tests.rig.rack.rig_up import gone
from tests.rig.suites.rig_run import RUN, manifest_without_expectations, rig_run
from tests.rig.waiting import HANGS


def test_a_run_leaves_its_evidence(tmp_path):
    done = rig_run("--json", "--report", tmp_path / "r", "-k", "erasing")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [event["event"] for event in events] == ["begun", "collected", "started", "finished", "verdict"]
    assert events[-1]["known_defects"] == {"dfu-cut-in-erase-strands": 1}
    (segment,) = (tmp_path / "r" / "ledger").glob("*.jsonl")
    lines = list(read_ledger(segment))
    assert [line["kind"] for line in lines] == ["intent", "cut", "compared"]
    again = subprocess.run([*RUN[:-1], "replay", lines[1]["capsule"]], capture_output=True, text=True, timeout=HANGS)
    assert (again.returncode, "dfu, healed by reflash" in again.stdout) == (1, True), lines[1]["capsule"]
    assert ET.parse(tmp_path / "r" / "junit.xml").getroot()[0].get("failures") == "0"
    assert list((tmp_path / "r" / "allure-results").glob("*-result.json"))
    (cut_map,) = (tmp_path / "r").glob("cut-map-spark-core-b-dfu-*.svg")
    assert "VIRTUAL (model): spark-core generation B, cuts over dfu" in cut_map.read_text()
    summary = (tmp_path / "r" / "summary.md").read_text()
    assert "erase → stranded" in summary
    (swept,) = events[-1]["swept"]
    assert (swept["kind"], swept["points"] > 300_000, swept["stranded"] > 0) == ("spark-core", True, True)
    assert f"({swept['picture']})" in summary
    assert "cuts of" in (tmp_path / "r" / swept["picture"]).read_text()
    spent = spent_of(TestResult(**{key: value for key, value in events[3].items() if key != "event"}))
    assert all(spent[word] > 0 for word in (BOARD, KNOWN, UPDATE, LANDING, OUTCOME, AFTER))
    assert re.search(r"## Time(.|\n)*\| all \|", summary)
    assert list((tmp_path / "r" / "timelines").glob("*.txt"))


@pytest.mark.long
def test_a_manifest_for_one_family_is_run_and_the_rest_is_the_rigs(tmp_path):
    """Two files of a build and nothing else; what they cannot be asked is not run, and says why."""
    mine = written(tmp_path, lamp())
    which = "interleaved-b or application_runs_after_it_was_written or confirms_itself"
    done = rig_run("--json", "--report", tmp_path / "r", "--manifest", mine, "-k", which, "-n", "2")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(event["count"], event["cases"]) for event in lines if event["event"] == "collected"] == [(3, 3)]
    assert lines[-1]["coverage"]["there_are"] > lines[-1]["coverage"]["chosen"] == 3
    finished = {event["name"]: event for event in lines if event["event"] == "finished"}
    assert {name: event["result"] for name, event in finished.items()} == {
        "dfu: an update runs after it was written [interleaved-b]": "passed",
        "serial: an application runs after it was written": "passed",
        "https: an update runs and confirms itself": "not run here",
    }
    assert "how lamp-old asks for updates" in finished["https: an update runs and confirms itself"]["message"]


MISUSE = {
    "a report folder with something in it": (["--report", "FULL"], "is not empty"),
    "a manifest that is not there": (["--manifest", "nowhere.toml"], "cannot read the manifest"),
    "expectations that are not there": (["--manifest", "LOST"], "cannot read the expectations"),
    "expectations of a case that there is not": (
        ["--manifest", "MISSPELT"],
        "there is no case 'eraze' of dfu (hint: did",
    ),
    "a coordinator for the virtual rack": (["--coordinator", "h:1"], "brings its own coordinator"),
    "a rack file that is not there": (["--rack", "nowhere.yaml"], "no such file"),
    "a rack file of noise": (["--rack", "NOISE"], "is no labgrid environment"),
    "an empty rack file": (["--rack", "EMPTY"], "it has no targets"),
    "a manifest for nobody": (["--manifest", "NOISE"], "cannot read the manifest"),
    "a file that is not there": (["nowhere.py"], "nowhere.py: no such file"),
    "a coverage that is none": (["--require", "90"], "--require 90: no such file"),
    "firmware that no board would start": (["--manifest", "DAMAGED"], "lamp-new: no ESP32 would start it"),
    "an expression that matches nothing": (["-k", "nothing_is_called_so"], "suites are boot"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_is_one_line_and_status_2(tmp_path, case):
    words, reason = MISUSE[case]
    full, empty, noise = tmp_path / "full", tmp_path / "empty.toml", tmp_path / "noise.bin"
    full.mkdir()
    (full / "something").write_text("")
    empty.write_text("")
    noise.write_bytes(bytes(range(256)))
    lost = tmp_path / "lost.toml"
    lost.write_text(part("firmware-fixtures", "manifest.toml").read_text())
    (tmp_path / "expects.toml").write_text(ENTRY.replace('"erase"', '"eraze"'))
    misspelt = tmp_path / "misspelt.toml"
    misspelt.write_text('expectations = "expects.toml"\n' + manifest_without_expectations())
    swap = {
        "MISSPELT": misspelt,
        "FULL": full,
        "EMPTY": empty,
        "NOISE": noise,
        "LOST": lost,
        "DAMAGED": written(tmp_path, lamp(new="damaged.bin")),
    }
    done = rig_run("--report", tmp_path / "r", *[swap.get(word, word) for word in words])
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists(), "nothing was run"


@pytest.mark.long
def test_a_rack_that_cannot_be_started_is_told_in_one_line(tmp_path):
    """Its roles are right, but what stands for a Core's bootloader is not what it says."""
    text = manifest_without_expectations()
    other = tmp_path / "other.toml"
    other.write_text(text.replace("length = 13720", "length = 13724"))
    done = rig_run("--report", tmp_path / "r", "--manifest", other, "-n", "2")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert "bootloader" in done.stderr


def test_without_a_coordinator_a_run_is_a_lab_fault_in_one_line(tmp_path):
    words = ["--report", tmp_path / "r", "--rack", part("places", "virtual.yaml")]
    done = rig_run(*words, LG_COORDINATOR="127.0.0.1:9")
    assert done.returncode == 3
    assert "no labgrid coordinator answers" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    command = [*RUN, "--json", "--report", str(tmp_path / "r"), "-k", "programming"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while '"started"' not in run.stdout.readline():
        pass
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=HANGS)
    assert (run.returncode, json.loads(out.splitlines()[-1])["verdict"]) == (3, "interrupted")
    assert gone(family)


VERDICTS = {
    "all good": (["passed", "not run here"], ("passed", 0)),
    "a device fault": (["passed", "device fault"], ("device fault", 1)),
    "a lab fault": (["passed", "lab fault"], ("lab fault", 3)),
    "device before lab": (["lab fault", "device fault"], ("device fault", 1)),
    "misuse before device": (["device fault", "misuse"], ("misuse", 2)),
    "misuse before lab": (["lab fault", "misuse"], ("misuse", 2)),
    "misuse before all": (["lab fault", "device fault", "misuse"], ("misuse", 2)),
    "nothing but skips": (["not run here"], ("nothing was run", 2)),
    "nothing": ([], ("nothing was run", 2)),
}


@pytest.mark.parametrize("verb", ["run", "report"])
def test_the_help_tells_which_verdict_comes_first(verb):
    done = subprocess.run([sys.executable, "-m", "rig", verb, "--help"], capture_output=True, text=True, timeout=HANGS)
    assert "first that applies: 2 misuse, 1 device fault, 3 lab fault" in " ".join(done.stdout.split())


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_of_results(case):
    words, expected = VERDICTS[case]
    verdict = judge([TestResult("t", word, 0.0) for word in words])
    assert (verdict.word, verdict.status) == expected
