"""A lab from the files of `rig lab example` alone: stock coordinator, stock exporter, twins that stand by themselves.

As a technician does it: addresses told, the written commands run, health looked at, a case run on each kind of board.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from labgrid.util import yaml as labgrid_yaml

from rig.clock import Clock, wait_for
from rig.errors import Misuse
from rig.family.contract import families
from rig.firmware.checkout import part
from rig.lab.coordinator import Coordinator
from rig.lab.example import scalar, write_example
from rig.ports import format_address, free_port
from rig.registry import kinds
from tests.rig.waiting import HANGS

#: One worker makes them all: each would start its own.
pytestmark = pytest.mark.xdist_group("example-lab")
SCRIPTS = Path(sys.executable).parent
RIG = (sys.executable, "-m", "rig")


def rig(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", **env}
    return subprocess.run([*RIG, *map(str, words)], env=told, capture_output=True, text=True, timeout=HANGS)


class Bench(contextlib.ExitStack):
    """Processes of a lab, each alone in the world, in a folder that they may write into; they end with it."""

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder

    def start(self, *command: object, output: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        words = [*map(str, command)]
        how = {"stdout": output, "stderr": subprocess.DEVNULL, "text": True, "cwd": self._folder}
        process = self.enter_context(subprocess.Popen(words, **how))
        self.callback(process.terminate)
        return process

    def ready(self, *words: object) -> dict:
        """Start a part of the rig; what it says when it is ready."""
        return json.loads(self.start(*RIG, *words, output=subprocess.PIPE).stdout.readline())


def address(told: dict) -> str:
    return format_address(told["host"], told["port"])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The folder with a lab's files, and its coordinator; boards, relay and USB are twins."""
    folder = tmp_path_factory.mktemp("lab")
    with Bench(folder) as bench:
        core = bench.ready("twin", "spark-core", "--state", folder / "core")
        chip = bench.ready("twin", "esp32", "--state", folder / "esp", "--json")
        lines = ((chip, ("power", "boot", "reset")), (core, ("power", "mode", "reset")))
        wires = [f"--wire={line}@{board['control']['address']}" for board, names in lines for line in names]
        relay = bench.ready("twin", "relay", *wires)
        own = {
            "relay": address(relay["modbus"]),
            "switch": address(relay["http"]),
            "usbip": address(core["usbip"]),
            "serial": address(chip["serial"]),
            "mac": chip["mac"],
            "tier": "hardware",  # as somebody says who copies the lines of a lab of boards
        }
        done = rig("lab", "example", folder / "files", *(f"--set={name}={value}" for name, value in own.items()))
        assert done.returncode == 0, done.stderr
        coordinator = f"127.0.0.1:{free_port('127.0.0.1')}"
        bench.start(SCRIPTS / "labgrid-coordinator", "-l", coordinator)
        yield bench, folder / "files", coordinator


@pytest.fixture(scope="module")
def running(lab):
    """The same with its exporter, and its places made by the written commands."""
    bench, files, coordinator = lab
    env = {**os.environ, "LG_COORDINATOR": coordinator, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    wait_for(lambda: answers(coordinator), seconds=HANGS, reason="the coordinator", clock=Clock(), board="lab")
    bench.start(SCRIPTS / "labgrid-exporter", "-c", coordinator, files / "exporter.yaml")
    done = subprocess.run(["sh", files / "places.sh"], env=env, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    for place in ("core-01", "esp32-01"):  # a lab of real boards is given no noise, and these are twins
        tag = [SCRIPTS / "labgrid-client", "-p", place, "set-tags", "synthetic=yes"]
        subprocess.run(tag, env=env, check=True, timeout=HANGS)
    with Coordinator(coordinator) as session:
        everything = {"core-01": {"cut", "usbip"}, "esp32-01": {"cut", "serial"}}
        for place, wanted in everything.items():
            wait_for(
                lambda place=place, wanted=wanted: session.resources_of(place) >= wanted,
                seconds=HANGS, reason="the exporter", clock=Clock(), board=place,
            )  # fmt: skip
    return files / "lab.yaml", coordinator


def answers(coordinator: str) -> bool:
    with contextlib.suppress(Exception), Coordinator(coordinator):
        return True
    return False


def test_health_sees_every_place_of_the_lab(running):
    rack, coordinator = running
    done = rig("lab", "health", "--rack", rack, "--json", LG_COORDINATOR=coordinator)
    rows = {row["place"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, set(rows)) == (0, {"core-01", "esp32-01"}), done.stderr
    assert all(row["cut"].startswith("Modbus, ") and row["health"] == "ok" for row in rows.values())


#: A case of each kind, by words of its name.
CASES = {
    "spark-core": "test_dfu and test_an_update_runs_after_it_was_written and all-first",
    "esp32": "test_serial and test_what_was_written_reads_back",
}


@pytest.mark.long
def test_a_case_of_each_kind_passes_there_without_a_cloud_and_without_an_edit(running, tmp_path):
    rack, coordinator = running
    asked = " or ".join(f"({words})" for words in CASES.values())
    done = rig(
        "run", "--rack", rack, "-k", asked, "--report", tmp_path / "report", "--json", LG_COORDINATOR=coordinator
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    passed = [json.loads(line) for line in done.stdout.splitlines() if '"passed"' in line]
    told = json.dumps(passed)
    summary = (tmp_path / "report" / "summary.md").read_text()
    assert summary.startswith("# VIRTUAL run"), "twins are none, whatever their places say"
    assert "hardware" not in summary.lower()
    assert "core-01: its place says tier=hardware, and a twin answers there" in done.stderr + done.stdout
    assert "test_an_update_runs_after_it_was_written" in told
    assert "test_what_was_written_reads_back" in told


# -- the files ---------------------------------------------------------------------------------------------------------


def test_the_example_in_the_repository_is_what_the_command_writes(tmp_path):
    done = rig("lab", "example", tmp_path / "example", "--json")
    written = {Path(path).name: Path(path).read_text() for path in json.loads(done.stdout)["written"]}
    assert written == {path.name: path.read_text() for path in part("places", "example").iterdir()}


def test_nothing_is_written_over_and_then_nothing_is_written(tmp_path):
    (tmp_path / "places.sh").write_text("mine")
    done = rig("lab", "example", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "places.sh is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["places.sh"]
    assert (tmp_path / "places.sh").read_text() == "mine"


BAD = {
    "no address": ("relay=10.0.0.1", "--set relay 10.0.0.1 is not HOST:PORT"),
    "a template": ("relay={{7*7}}:502", "is not HOST:PORT"),
    "a second line": ("usbip=10.0.0.1:1\nx: y", "is not HOST:PORT"),
    "no bus id": ("busid=$(reboot)", "is no bus id"),
    "no MAC": ("mac=24:0A", "is no base address"),
    "no serial number": ("core-serial=", "is no serial number"),
    "no such setting": ("colour=red", "no such setting"),
    "no value": ("relay", "no such setting"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_setting_that_cannot_be_is_one_line_and_writes_nothing(tmp_path, case):
    setting, reason = BAD[case]
    with pytest.raises(Misuse) as refused:
        write_example(tmp_path / "lab", [family.place for family in families()], [setting])
    assert reason in refused.value.message
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "lab").exists()


def test_one_kind_alone_has_the_environment_that_commands_are_told(tmp_path):
    assert rig("lab", "example", tmp_path, "--board", "esp32").returncode == 0
    assert "rig.families.esp32.drivers.rom_loader" in (tmp_path / "lab.yaml").read_text()
    assert "core" not in (tmp_path / "places.sh").read_text()
    assert rig("lab", "example", tmp_path / "x", "--board", "toaster").returncode == 2


@pytest.mark.parametrize("kind", kinds())
def test_an_environment_of_the_example_has_the_drivers_of_the_rigs_own(kind):
    name = {"spark-core": ("lab-spark-core.yaml", "virtual.yaml"), "esp32": ("lab.yaml", "virtual-esp32.yaml")}[kind]
    example, own = part("places", "example") / name[0], part("places", name[1])
    example, own = (labgrid_yaml.load(file.read_text().replace("!template", "")) for file in (example, own))
    assert example == own


SCALARS = ["plain", "http://relay.lab:80", "on", "null", "3", 3, "3:4", "a: b", "# x", "{x}", "", "x:", {"ID": "1"}]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_what_is_written_is_read_back_as_it_was(value):
    assert labgrid_yaml.load(f"key: {scalar(value)}")["key"] == value
