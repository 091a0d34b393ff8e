"""labgrid's stock verbs on a place, and what `rig up` tells to paste: they work, or refuse in one line."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig.drivers import stock_verbs
from rig.errors import Misuse
from tests.rig.waiting import HANGS

#: One worker makes them all: each would start its own.
pytestmark = pytest.mark.xdist_group("stock-verbs")
SCRIPTS = Path(sys.executable).parent


class Up:
    """`rig up` as people see it."""

    def __init__(self):
        command = [sys.executable, "-m", "rig", "up", "--cores", "1", "--esp32s", "1", "--time-scale", "0.1"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if line.strip().startswith("rig cloud https publish"):
                return  # the last
        raise AssertionError(f"rig up ended: {self.lines}")

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line as printed, without what is behind its #."""
        words = shlex.split(line, comments=True)
        where = next(text.partition("=")[2] for text in self.lines if text.startswith("export LG_COORDINATOR="))
        env = {**os.environ, "LG_COORDINATOR": where}
        command = [str(SCRIPTS / words[0]), *words[1:]]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=HANGS)


@pytest.fixture(scope="module")
def up():
    rack = Up()
    for place in ("core-01", "esp32-01"):
        rack.run(f"labgrid-client -p {place} acquire")
    yield rack
    rack.process.send_signal(signal.SIGTERM)
    rack.process.communicate(timeout=HANGS)


VERBS = {"dfu": "list", "write-image": "pyproject.toml", "fastboot": "devices"}


@pytest.mark.parametrize("place", ["core-01", "esp32-01"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_stock_verb_without_its_device_refuses_in_one_line(up, place, verb):
    done = up.run(f"labgrid-client -p {place} {verb} --wait 0.1 {VERBS[verb]}")
    refusal, *advice = done.stderr.splitlines()
    assert done.returncode == 1
    assert refusal.startswith("labgrid-client: error: Not all resources are available")
    assert advice == [
        "This may be caused by disconnected exporter or wrong match entries.",
        "You can use the 'show' command to review all matching resources.",
    ], "no traceback"


@pytest.mark.long
@pytest.mark.parametrize("begins", ["rig dfu list --usbip", "rig serial info --port", "esptool --port"])
def test_what_rig_up_tells_for_work_by_hand_runs_as_it_is_printed(up, begins):
    (line,) = [line for line in up.lines if line.startswith(begins)]
    done = up.run(line)
    assert done.returncode == 0, done.stderr


def test_rig_up_tells_what_a_console_needs(up):
    (line,) = [line for line in up.lines if " console " in line]
    assert "needs microcom" in line
    assert ("apt install" in line) is (stock_verbs.shutil.which("microcom") is None)


def test_a_board_without_a_serial_number_gets_no_devices():
    with pytest.raises(Misuse, match="has no USB device of its own"):
        stock_verbs.stock_resources(" ")


def test_without_udev_an_exporter_offers_none_of_them(monkeypatch):
    monkeypatch.setattr("pyudev.Context", lambda: (_ for _ in ()).throw(ImportError("no libudev")))
    assert stock_verbs.stock_resources("8D80306E5055") == {}
