"""`rig ledger verify`: what was changed is found, whatever it was, and what was not is good."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tampering import RUN, TAMPERINGS, forged, lines_of, put, write_run
from typer.testing import CliRunner

from rig.cli.main import app
from rig.errors import Misuse
from rig.evidence.ledger import Ledger, read_ledger
from rig.evidence.ledger_line import LineReader, chained, encode
from rig.evidence.run_manifest import (
    RunManifest,
    begin_run,
    end_killed_run,
    end_killed_runs,
    end_run,
    write_run_manifest,
)


def verify(*words):
    """Exit status, and what is told of it."""
    done = CliRunner().invoke(app, ["ledger", "verify", "--json", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def report(tmp_path):
    write_run(tmp_path / "r" / "ledger")
    (tmp_path / "r" / "summary.md").write_text("# Run\n")
    return tmp_path / "r"


def test_a_run_that_nobody_changed_is_good(report):
    status, told = verify(report)
    assert (status, told["changed"]) == (0, [])
    assert [(one["segment"], one["lines"]) for one in told["ledgers"][0]["segments"]] == [
        ("gw0.jsonl", 6), ("gw1.jsonl", 6),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_what_was_changed_is_found(report, kind):
    TAMPERINGS[kind](report / "ledger")
    status, told = verify(report)
    assert status == 1, told
    assert told["changed"][0]["where"].startswith(str(report))


@pytest.mark.parametrize("kind", [kind for kind in TAMPERINGS if kind != "the ledger removed"])
def test_a_ledgers_own_folder_will_do(report, kind):
    TAMPERINGS[kind](report / "ledger")
    assert verify(report / "ledger")[0] == 1


def test_what_was_written_anew_to_the_last_hash_is_found_by_a_head_noted_elsewhere(report):
    noted = verify(report)[1]["ledgers"][0]["head"]
    assert verify(report, "--head", noted)[0] == 0
    told = [{**json.loads(line), "outcome": {"became": "new"}} for line in lines_of(report / "ledger" / "gw0.jsonl")]
    put(report / "ledger" / "gw0.jsonl", forged(told))
    write_run_manifest(report / "ledger", RUN)
    assert verify(report)[0] == 0, "nothing in the folder can tell"
    assert verify(report, "--head", noted)[0] == 1


def test_a_ledger_that_is_a_file_alone(tmp_path):
    path = tmp_path / "updates.jsonl"
    with Ledger(path) as ledger:
        for number in range(4):
            ledger.append("update", {"core": str(number)})
    assert verify(path)[0] == 0
    assert verify(path, "--head", ledger.head)[0] == 0
    put(path, lines_of(path)[:-1])
    assert verify(path)[0] == 0, "a file alone cannot tell what is missing at its end"
    assert verify(path, "--head", ledger.head)[0] == 1
    path.write_bytes(b"")
    assert verify(path)[0] == 1


def test_a_segment_is_compared_with_the_manifest_beside_it(report):
    segment = report / "ledger" / "gw0.jsonl"
    assert verify(segment)[0] == 0
    put(segment, lines_of(segment)[:-1])
    assert verify(segment)[0] == 1
    assert verify(report / "ledger" / "gw1.jsonl")[0] == 0


@pytest.mark.parametrize("name", ["/dev/null", "pipe", "folder"])
def test_what_is_no_file_takes_no_ledger_and_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Misuse, match="cannot"):
        Ledger(tmp_path / name)


NO_LEDGER = {
    "nothing of this name": lambda folder: folder / "nothing",
    "an empty folder": lambda folder: (folder / "empty").mkdir() or folder / "empty",
    "an endless file": lambda _folder: "/dev/zero",
    "a pipe": lambda folder: os.mkfifo(folder / "pipe") or folder / "pipe",
}


@pytest.mark.parametrize("case", NO_LEDGER)
def test_what_is_no_ledger_is_misuse(tmp_path, case):
    with pytest.raises(Misuse):
        verify(NO_LEDGER[case](tmp_path))


def test_a_head_that_is_no_hash_is_misuse(report):
    with pytest.raises(Misuse, match="is no hash"):
        verify(report, "--head", "abc")


# -- runs that were killed ---------------------------------------------------------------------------------------------

_KILLED = """
import os, sys
from pathlib import Path
from rig.evidence.ledger import Ledger
from rig.evidence.run_manifest import begin_run
begin_run(Path(sys.argv[1]), "r1")
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
    status, told = verify(tmp_path / "r")
    assert (status, told["ledgers"][0]["state"], told["changed"]) == (3, "open", [])
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
    status, told = verify(tmp_path / "r")
    assert (status, told["ledgers"][0]["state"]) == (3, "unfinished")
    assert RunManifest.read(tmp_path / "r" / "ledger" / "run.json").ended_by == "rig ledger verify"


def test_a_run_ends_itself_once_and_only_itself(tmp_path):
    begin_run(tmp_path, "r1")
    with Ledger(tmp_path / "gw0.jsonl") as ledger:
        ledger.append("cut", {"run": "r1"})
        end_run(tmp_path, "r1")
        assert RunManifest.read(tmp_path / "run.json").state == "open", "a worker still writes"
    end_run(tmp_path, "r2")
    assert RunManifest.read(tmp_path / "run.json").state == "open"
    end_run(tmp_path, "r1")
    assert end_killed_run(tmp_path, "nobody").ended_by is None
    assert RunManifest.read(tmp_path / "run.json").segments[0].head == ledger.head


def test_a_folder_with_another_runs_ledger_is_refused(tmp_path):
    write_run(tmp_path / "ledger")
    with pytest.raises(Misuse, match="has the ledger of the run"):
        begin_run(tmp_path / "ledger", "another")


# -- the form of a line ------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
CONTENTS = st.dictionaries(st.text(max_size=6).filter(lambda key: key not in ("hash", "kind")), VALUES, max_size=5)


@given(st.lists(CONTENTS, min_size=1, max_size=4))
def test_whatever_is_appended_is_of_the_form_at_first_sight_and_by_pattern(contents):
    reader = LineReader()
    for content in [*contents, *contents]:
        body = {"kind": "cut", **content}
        line = encode({**body, "hash": chained("", encode(body))})
        assert reader.split(line) == (encode(body), chained("", encode(body)))


@given(CONTENTS, st.data())
def test_a_pattern_takes_no_line_that_reading_would_refuse(content, data):
    """Whatever byte is changed: known by pattern or read as JSON, the answer is the same."""
    line = encode({"kind": "cut", **content, "hash": "0" * 64})
    known = LineReader()
    known.split(line)
    at = data.draw(st.integers(0, len(line) - 1))
    changed = line[:at] + data.draw(st.binary(max_size=2)) + line[at + data.draw(st.integers(0, 1)) :]

    def answer(reader):
        try:
            return reader.split(changed)
        except ValueError as refused:
            return str(refused)

    assert answer(known) == answer(LineReader())


def test_a_full_disk_leaves_the_ledger_as_it_was(tmp_path):
    resource = pytest.importorskip("resource")
    code = (
        "import resource, signal, sys; from pathlib import Path; from rig.evidence.ledger import Ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1))\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "try:\n"
        "    for number in range(99): ledger.append('cut', {'trial': str(number)})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == -1
    path = tmp_path / "main.jsonl"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"LabFault cannot write {path}: File too large (hint: make room"), done.stdout
    assert len(list(read_ledger(path))) == 9
    assert path.read_bytes().endswith(b"\n")


def test_a_ledger_that_was_removed_is_a_lab_fault_and_not_written_into_nothing(tmp_path):
    with Ledger(tmp_path / "r" / "main.jsonl") as ledger:
        ledger.append("intent", {"trial": "1"})
        shutil.rmtree(tmp_path / "r")
        with pytest.raises(Exception, match="was removed while it was written"):
            ledger.append("cut", {"trial": "1"})
