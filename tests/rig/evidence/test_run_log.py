"""What a run leaves when it is killed, and the report that is made of it."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from rig.cli.main import app
from rig.evidence.ledger import Ledger
from rig.evidence.results import PASSED, RunVerdict
from rig.evidence.run_life import join_run
from rig.evidence.run_log import NAME, RunLog, read_run
from rig.evidence.run_manifest import RunManifest
from tests.rig.evidence.records import a_cut, a_test, an_identity
from tests.rig.waiting import HANGS

#: A run that has a ledger, two tests over and one under way, and then hangs.
RUN = """
import sys, time
from pathlib import Path
from tests.rig.evidence.records import a_cut, a_test, an_identity
from rig.evidence.ledger import Ledger
from rig.evidence.run_log import RunLog
from rig.evidence.run_life import join_run

folder = Path(sys.argv[1])
log = RunLog(folder, an_identity())
join_run(folder / "ledger", "r")
log.collected(4)
with Ledger(folder / "ledger" / "main.jsonl") as ledger:
    for name, result in (("first", sys.argv[2]), ("last", "passed")):
        log.started(name)
        cut = a_cut(name)
        ledger.append(cut.pop("kind"), cut)
        log.finished(a_test(name, result))
    log.started("lost")
    print("there", flush=True)
    time.sleep(100)
"""


def rig(*words: object):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def killed_run(folder, result: str = PASSED) -> None:
    command = [sys.executable, "-c", RUN, str(folder), result]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}) as run:
        assert run.stdout.readline() == b"there\n"
        run.kill()


@pytest.fixture
def folder(tmp_path):
    killed_run(tmp_path)
    return tmp_path


def test_a_killed_run_has_every_test_that_was_over_and_names_those_under_way(folder):
    record = read_run(folder)
    assert [result.name for result in record.results] == ["first", "last"]
    assert (record.killed, record.verdict.word, record.under_way) == (True, "interrupted", ["lost"])


def test_its_report_is_written_from_what_it_left_and_says_so(folder):
    done = rig(folder, "--rebuild")
    summary = (folder / "summary.md").read_text()
    assert done.exit_code == 3
    assert summary.startswith("# VIRTUAL run r (tier model")
    assert "2 of 4 tests had ended, and 1 were under way" in summary
    assert "| last | core-01 |" in summary
    assert [path.name for path in folder.glob("*.svg")] == ["cut-map-spark-core-b-dfu-core-old-to-core-new-model.svg"]
    assert ET.parse(folder / "junit.xml").getroot()[0].get("errors") == "1", "the test that was under way"
    assert RunManifest.read(folder / "ledger" / "run.json").state == "unfinished"


def test_a_device_fault_is_one_though_the_run_was_killed(tmp_path):
    killed_run(tmp_path, "device fault")
    done = rig(tmp_path, "--rebuild")
    assert done.exit_code == 1
    assert "device fault; it was killed before its end" in done.output


def test_a_torn_last_line_is_passed_over(folder):
    with (folder / NAME).open("ab") as file:
        file.write(b'{"kind": "finis')
    assert len(read_run(folder).results) == 2


@pytest.fixture
def finished(tmp_path):
    """The report folder of a run with one test that needs a look."""
    log = RunLog(tmp_path, an_identity())
    log.collected(2)
    for test in (a_test("good"), a_test("bad", "device fault", message="it stayed dark")):
        log.started(test.name)
        log.finished(test)
    log.ended(RunVerdict("device fault", 1), 78.0)
    log.close()
    return tmp_path


def test_a_run_is_shown_again_with_what_is_not_as_expected(finished):
    done = rig(finished)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[:2] == ["Not as expected:", "device fault bad  core-01  1.0 s  it stayed dark"]
    assert "Verdict: device fault after 78 s" in lines
    assert lines[2] == "VIRTUAL run r (tier model, no real board): device fault: 1 device fault, 1 passed"


def test_all_of_it_is_shown_to_whoever_wants_it(finished):
    assert "passed       good  core-01  1.0 s" in rig(finished, "-v").output


def test_scripts_get_what_was_tested_and_every_result(finished):
    output = json.loads(rig(finished, "--json").output)
    assert (output["title"], output["status"]) == ("VIRTUAL run r (tier model, no real board): device fault", 1)
    assert (output["tested"]["nature"], output["tested"]["tier"]) == ("virtual", "model")
    assert [image["sha256"] for image in output["tested"]["firmware"]] == ["0" * 64, "1" * 64]
    assert [result["name"] for result in output["results"]] == ["good", "bad"]


def test_a_run_that_goes_on_is_shown_and_not_ended(tmp_path):
    log = RunLog(tmp_path, an_identity())
    log.started("slow")
    assert ": under way" in rig(tmp_path).output
    done = rig(tmp_path, "--rebuild")
    assert "goes on" in str(done.exception)
    log.close()


def test_a_run_whose_workers_still_make_cuts_is_not_ended(tmp_path):
    RunLog(tmp_path, an_identity()).close()
    join_run(tmp_path / "ledger", "r")
    with Ledger(tmp_path / "ledger" / "gw0.jsonl") as ledger:
        cut = a_cut("1")
        ledger.append(cut.pop("kind"), cut)
        assert "still makes cuts" in str(rig(tmp_path, "--rebuild").exception)
    assert not (tmp_path / "summary.md").exists()


NO_RUN = {
    "an empty folder": (None, "has no results.jsonl"),
    "an empty log": (b"", "is empty"),
    "noise": (bytes(range(256)), "no text in UTF-8"),
    "another file": (b"[1]\n", r"results.jsonl:1: no line of a run's log"),
    "a log without its first line": (b'{"kind": "collected", "at": 0, "count": 1}\n', "results.jsonl:1:"),
}


@pytest.mark.parametrize("case", NO_RUN)
def test_what_is_no_report_folder_is_told_in_one_line_and_status_2(tmp_path, case):
    content, reason = NO_RUN[case]
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    command = [sys.executable, "-m", "rig", "report", str(tmp_path), "--rebuild"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert reason in done.stderr
