"""Output that nobody reads, a full disk, no output at all: each ends as it should, and ends nothing that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.cli.run_output import end_status
from rig.errors import DeviceFault, LabFault
from rig.terminal.output import TolerantOutput
from tests.rig.cli.checks_output import no_reader
from tests.rig.waiting import HANGS, until

RIG = [sys.executable, "-m", "rig"]


@pytest.mark.parametrize("words", [("firmware", "list"), ("--help",), ("--version",)])
def test_who_reads_no_more_is_no_device_fault(words):
    with no_reader() as out:
        done = subprocess.run([*RIG, *words], stdout=out, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (LabFault.exit_status, "")


def test_without_an_output_errors_still_go_nowhere_near_it(tmp_path):
    """A shell's `2>&-`; what scripts read stays theirs."""
    done = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *RIG, "ledger", "verify", str(tmp_path / "none"), "--json"], capture_output=True
    )
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_run_without_an_output_begins(tmp_path):
    """A shell's `>&-`. Nothing is chosen, which is misuse."""
    words = [*RIG, "run", "-k", "nothing_is_called_so", "--report", str(tmp_path / "report")]
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *words], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "broke" not in done.stderr


#: Why a run's output is not whole, what the run came to, and the exit status.
ENDS = {
    "all was read": (None, 0, 0),
    "nobody read to the end": (BrokenPipeError(32, "Broken pipe"), 0, 0),
    "the disk is full": (OSError(28, "No space left on device"), 0, LabFault.exit_status),
    "the disk is full, and a board is broken": (OSError(28, "No space left on device"), 1, DeviceFault.exit_status),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_run_whose_output_is_lost_has_its_verdict(case, capsys):
    fault, verdict, status = ENDS[case]
    record = SimpleNamespace(verdict=SimpleNamespace(status=verdict))
    out = SimpleNamespace(fault=fault)
    assert end_status(SimpleNamespace(record=record, report=Path("r")), out) == status
    assert ("r/summary.md" in capsys.readouterr().err) == (type(fault) is OSError)


def test_on_a_full_disk_the_rest_is_let_go():
    out = TolerantOutput(os.open("/dev/full", os.O_WRONLY))
    for _ in range(3):
        print("a line", file=out, flush=True)
    assert out.fault.strerror == "No space left on device"


CONFIG = """
every = 60
timeout = 1
look_again = 0.1
state = "state"
[[endpoint]]
host = "localhost"
port = 9
[[alert.command]]
name = "file"
argv = ["/bin/sh", "-c", "cat >> {told}"]
"""


def test_a_watch_tells_its_channels_though_nobody_reads_its_output(tmp_path):
    told, config = tmp_path / "told.json", tmp_path / "watch.toml"
    config.write_text(CONFIG.format(told=told))
    with no_reader() as out, subprocess.Popen([*RIG, "trust", "watch", str(config)], stdout=out) as watching:
        until(lambda: told.exists() and "unreachable" in told.read_text(), "the command to be told", seconds=HANGS)
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(HANGS) == 0
