"""`rig run` as a user starts it: report, events, exit status, and what a kill in the middle of a cut leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

import psutil
import pytest
from test_rack import gone
from waiting import HANGS

from rig.evidence.ledger import read_ledger
from rig.evidence.results import TestResult, judge
from rig.lab.checkout import part
from rig.lab.suites import spoken_name

RUN = [sys.executable, "-m", "rig", "run"]


def rig_run(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env={**os.environ, **env})


def test_a_run_leaves_its_evidence(tmp_path):
    done = rig_run("--json", "--report", tmp_path / "r", "-k", "erasing")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [event["event"] for event in events] == ["collected", "started", "finished", "verdict"]
    assert events[-1]["known_defects"] == {"dfu-cut-in-erase-strands": 1}
    (segment,) = (tmp_path / "r" / "ledger").glob("*.jsonl")
    assert [line["kind"] for line in read_ledger(segment)] == ["intent", "cut"]
    assert ET.parse(tmp_path / "r" / "junit.xml").getroot()[0].get("failures") == "0"
    assert list((tmp_path / "r" / "allure-results").glob("*-result.json"))
    assert "<svg" in (tmp_path / "r" / "cut-map-spark-core-b-dfu.svg").read_text()
    assert "erase → stranded" in (tmp_path / "r" / "summary.md").read_text()
    assert list((tmp_path / "r" / "timelines").glob("*.txt"))


def test_another_manifest_is_run_by_its_roles(tmp_path):
    text = part("firmware-fixtures", "manifest.toml").read_text()
    other = tmp_path / "other.toml"
    other.write_text(
        re.sub('"core-(new|old|previous)"(?!, length)', '"lab-\\1"', text).replace("crashing =", "# crashing =")
    )
    done = rig_run(
        "--json", "--report", tmp_path / "r", "--manifest", other, "-k", "interleaved-b or crashes_at_once", "-n", "1"
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    finished = {event["name"]: event for event in told if event["event"] == "finished"}
    assert sorted(event["result"] for event in finished.values()) == ["not run here", "passed"], done.stdout
    assert any("no crashing image" in event["message"] for event in finished.values())


MISUSE = {
    "a report folder with something in it": (["--report", "FULL"], "is not empty"),
    "a manifest that is not there": (["--manifest", "nowhere.toml"], "cannot read the manifest"),
    "a coordinator for the virtual rack": (["--coordinator", "h:1"], "brings its own coordinator"),
    "a rack file that is not there": (["--rack", "nowhere.yaml"], "no such file"),
    "a rack file of noise": (["--rack", "NOISE"], "is no labgrid environment"),
    "an empty rack file": (["--rack", "EMPTY"], "it has no targets"),
    "an empty manifest": (["--manifest", "EMPTY"], "roles.spark-core is missing"),
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
    swap = {"FULL": full, "EMPTY": empty, "NOISE": noise}
    done = rig_run("--report", tmp_path / "r", *[swap.get(word, word) for word in words])
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists(), "nothing was run"


def test_a_rack_that_cannot_be_started_is_told_in_one_line(tmp_path):
    """Its roles are right, but nothing stands for a Core's bootloader."""
    text = part("firmware-fixtures", "manifest.toml").read_text()
    other = tmp_path / "other.toml"
    other.write_text(re.sub(r"\n\[\[bootloader\]\].*?(?=\n\[)", "", text, flags=re.S))
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
    "misuse before all": (["lab fault", "device fault", "misuse"], ("misuse", 2)),
    "nothing but skips": (["not run here"], ("nothing was run", 2)),
    "nothing": ([], ("nothing was run", 2)),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_of_results(case):
    words, expected = VERDICTS[case]
    verdict = judge([TestResult("t", word, 0.0) for word in words])
    assert (verdict.word, verdict.status) == expected


def test_names_are_told_in_words():
    nodeid = "tests/boards/test_power_cuts.py::test_a_cut_in_it[while erasing]"
    assert spoken_name(nodeid) == "power cuts: a cut in it [while erasing]"
