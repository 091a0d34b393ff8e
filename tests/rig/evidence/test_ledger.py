"""The ledger: chained, flushed, and whole after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from rig.errors import Misuse
from rig.evidence.ledger import Ledger, read_ledger, unfinished
from rig.evidence.run_manifest import RunManifest


def write(path, count):
    with Ledger(path) as ledger:
        for number in range(count):
            ledger.append("cut", {"trial": str(number)})
    return path


def test_lines_come_back_in_order_and_chained(tmp_path):
    lines = list(read_ledger(write(tmp_path / "main.jsonl", 5)))
    assert [line["trial"] for line in lines] == ["0", "1", "2", "3", "4"]
    assert len({line["hash"] for line in lines}) == 5


def test_a_segment_goes_on_where_it_ended(tmp_path):
    path = write(write(tmp_path / "main.jsonl", 2), 2)
    assert len(list(read_ledger(path))) == 4


DAMAGE = {
    "a changed value": lambda raw: raw.replace(b'"trial":"1"', b'"trial":"7"'),
    "a line taken out": lambda raw: b"\n".join(raw.split(b"\n")[:1] + raw.split(b"\n")[2:]),
    "lines swapped": lambda raw: b"\n".join([*reversed(raw.strip().split(b"\n")), b""]),
    "garbage in the middle": lambda raw: raw.replace(b"\n", b"\n{]\n", 1),
    "a list for a line": lambda raw: raw.replace(b"\n", b"\n[]\n", 1),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_with_file_and_line(tmp_path, case):
    path = write(tmp_path / "main.jsonl", 4)
    path.write_bytes(DAMAGE[case](path.read_bytes()))
    with pytest.raises(Misuse, match=r"main\.jsonl:\d"):
        list(read_ledger(path))


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_passed_over_and_written_over(tmp_path, cut):
    path = write(tmp_path / "main.jsonl", 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert [line["trial"] for line in read_ledger(path)] == ["0", "1"]
    with Ledger(path) as ledger:
        ledger.append("cut", {"trial": "again"})
    assert [line["trial"] for line in read_ledger(path)] == ["0", "1", "again"]


def test_a_killed_writer_loses_nothing_that_was_appended(tmp_path):
    path = tmp_path / "main.jsonl"
    code = (
        "import sys; from pathlib import Path; from rig.evidence.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1])); number = 0\n"
        "while True:\n"
        "    ledger.append('intent', {'trial': str(number)}); print(number, flush=True)\n"
        "    ledger.append('cut', {'trial': str(number)}); number += 1\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    told = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    told += writer.stdout.read().splitlines()
    writer.wait()
    trials = [line["trial"] for line in read_ledger(path) if line["kind"] == "intent"]
    assert len(trials) >= len(told)
    assert len(unfinished(path)) <= 1


def test_the_runs_manifest_names_segments_and_heads(tmp_path):
    write(tmp_path / "gw0.jsonl", 2)
    path = write(tmp_path / "gw1.jsonl", 3)
    manifest = json.loads(RunManifest.of_segments_in(tmp_path, "r1").write(tmp_path).read_text())
    assert [segment["lines"] for segment in manifest["segments"]] == [2, 3]
    assert manifest["segments"][1]["head"] == list(read_ledger(path))[-1]["hash"]


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
