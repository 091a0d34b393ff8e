"""A program of a twin that breaks is told: by its model at once, by its process in one line, by a rack as a fault."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from rig.clock import Clock, wait_for
from rig.errors import LabFault
from rig.families.esp32.lab.rack_slot import Esp32Slot
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.twin import core as core_module
from rig.families.spark_core.twin.core import DEFAULT_UID
from rig.families.spark_core.twin.process import CoreProcess
from rig.formats.usb import Setup
from rig.rack import rack as rack_module
from rig.rack.plan import RackPlan
from rig.rack.rack import VirtualRack
from rig.twin.flash import Run
from rig.twin.steps import Timer, Work
from tests.rig.control.control_ports import ask
from tests.rig.families.spark_core.twin.models import CATALOGUE, core_in_memory, shipped_memory
from tests.rig.waiting import HANGS

#: Plants a program in place of what a kind of board runs, and then is the `rig` command.
PLANTED = """
from rig.twin.steps import Idle, Timer
import {module} as module

def planted(*_known):
    {body}

module.{name} = planted
from rig.cli.main import main
main()
"""
RUNS = {
    "spark-core": ("rig.families.spark_core.twin.core", "application"),
    "esp32": ("rig.families.esp32.twin.board", "start"),
}
SLOTS = {"spark-core": CoreSlot(0), "esp32": Esp32Slot(0)}
BREAKS = "raise ValueError('no such register')"
TOLD = "the twin's program planted broke in planted (<string>:6): ValueError: no such register"
#: What the planted program does.
AT_ONCE = f"yield Timer(0); {BREAKS}"
LATER = f"yield Timer(0.3); {BREAKS}"
AT_ITS_SECOND_START = f"if hasattr(module, 'ran'): {BREAKS}\n    module.ran = True; yield Idle()"


def twin(kind: str, body: str) -> list[str]:
    """The `rig` command with a program planted."""
    module, name = RUNS[kind]
    return [sys.executable, "-c", PLANTED.format(module=module, name=name, body=body)]


@pytest.fixture
def start(tmp_path):
    memory = shipped_memory()
    (tmp_path / "internal.bin").write_bytes(memory.internal.dump())
    (tmp_path / "external.bin").write_bytes(memory.external.dump())
    running = []

    def begin(kind: str, body: str, *options: str):
        words = ["twin", kind, "--state", str(tmp_path), "--time-scale", "0", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append(subprocess.Popen([*twin(kind, body), *words], **pipes, text=True))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def check_told(process, log) -> None:
    _, said = process.communicate(timeout=HANGS)
    assert (process.returncode, said) == (3, f"rig: {TOLD} (hint: the traceback is in {log})\n")
    assert "Traceback (most recent call last)" in log.read_text()


def power(kind_told, on: bool) -> None:
    """Switch a twin's supply by its control port; one that breaks over it does not answer any more."""
    ask(kind_told, do="power", on=on)


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("body", [AT_ONCE, LATER], ids=["before it is ready", "later"])
def test_a_program_that_breaks_ends_its_twin_with_one_line_and_a_traceback_in_its_log(start, tmp_path, kind, body):
    check_told(start(kind, body), tmp_path / "twin.log")


@pytest.mark.parametrize("kind", RUNS)
def test_the_control_port_does_not_take_what_breaks_for_a_wrong_question(start, tmp_path, kind):
    process = start(kind, AT_ONCE, "--power", "off")
    power(json.loads(process.stdout.readline())["control"], True)
    check_told(process, tmp_path / "twin.log")


@pytest.fixture
def rack(monkeypatch):
    """A rack of one board with a planted program; what is left of it goes with the test."""
    built = []

    def build(kind: str, body: str) -> VirtualRack:
        monkeypatch.setattr(rack_module, "_python", lambda words: [*twin(kind, body), *words[1:]])
        built.append(VirtualRack(RackPlan([SLOTS[kind]])))
        return built[-1]

    yield build
    for one in built:
        one.stop()
        shutil.rmtree(one._folder, ignore_errors=True)


@pytest.mark.parametrize("kind", SLOTS)
def test_a_rack_whose_board_breaks_at_once_is_a_lab_fault_that_names_the_board_and_its_log(rack, kind):
    broken = rack(kind, AT_ONCE)
    with pytest.raises(LabFault) as raised:
        broken.__enter__()
    log = broken._folder / broken.places[0] / "twin.log"
    assert f"{broken.places[0]} did not become ready: rig: {TOLD} (hint: the traceback is in {log})" in str(
        raised.value
    )
    assert [path for path in broken._folder.rglob("*") if path.is_file()] == [log]


@pytest.mark.parametrize("kind", SLOTS)
def test_a_board_that_breaks_in_a_rack_is_named_with_its_log_among_the_dead(rack, kind):
    with rack(kind, AT_ITS_SECOND_START) as up:
        place = up.places[0]
        for on in (False, True):
            power(up.boards[place]["control"], on)
        (dead,) = wait_for(lambda: up.dead() or None, seconds=10, reason="its death", clock=Clock(), board=place)
        assert dead.exit_description().startswith(f"{place} died (exit status 3): rig: {TOLD}")
        assert (up._folder / place / "twin.log").is_file()


def test_in_memory_it_is_raised_from_whatever_made_the_program_go_on(monkeypatch):
    def planted(*_known):
        yield Timer(1)
        yield Work(Run("erase", 0x0900_0000, 1024, 1))

    monkeypatch.setattr(core_module, "application", planted)
    core = core_in_memory()
    core.power_on(0)
    with pytest.raises(LabFault, match=r"planted broke .*erase from 0x9000000 to 0x9000400: no memory is there"):
        core.advance(10)


def test_a_usb_request_that_breaks_the_device_is_told_too(monkeypatch):
    core = into_dfu(core_in_memory())
    monkeypatch.setattr(core.usb, "control", lambda setup, _data: {}[setup.request])
    with pytest.raises(LabFault, match=r"broke .*KeyError: 3"):
        core.control(Setup(0xA1, 3, 0, 0, 6), b"", core.time)


@pytest.mark.parametrize("kind", RUNS)
def test_what_breaks_beside_a_program_ends_a_twin_too(start, kind):
    process = start(kind, "import asyncio; asyncio.get_running_loop().call_later(0.3, lambda: 1 / 0); yield Timer(60)")
    _, said = process.communicate(timeout=HANGS)
    assert process.returncode == 3
    assert "Traceback (most recent call last)" in said
    assert said.endswith("rig: the rig itself broke: ZeroDivisionError: division by zero (hint: --debug shows where)\n")


def test_a_watchdog_that_bites_in_the_middle_of_a_request_breaks_nothing(monkeypatch, tmp_path):
    """The request came before the reset, and is read after it: to the host the device is gone."""
    memory = shipped_memory()
    (tmp_path / "internal.bin").write_bytes(memory.internal.dump())
    process = CoreProcess(state=tmp_path, identify=CATALOGUE.identify, uid=DEFAULT_UID, time_scale=1, seed=0)
    into_dfu(process.core).press_mode(False, process.core.time)
    process.core.feed_watchdog(1)
    late = process.core.time + 1.5
    monkeypatch.setattr(process.time, "seconds", lambda: late)
    assert process.core.usb is not None
    assert process.control(Setup(0xA1, 3, 0, 0, 6), b"") is None
    assert process.core.usb is None
    process.close()
