"""Boards that are always brought back: whoever was killed, whatever hangs or is gone, and whichever kind they are."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys

import psutil
import pytest

from rig.drivers.relay import ModbusContact
from rig.errors import LabFault
from rig.firmware.checkout import part
from rig.lab.acquisition import Boards
from tests.boards.long_cases import some_always
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.rack.rig_up import SCRIPTS, Up, gone
from tests.rig.rack.test_deaths import health, in_flight, rig_run
from tests.rig.waiting import HANGS

PLACES = part("places", "virtual.yaml")
#: A process that holds places, does something to the first one's board, and is killed.
HOLDER = """
import sys, time
from pathlib import Path
from rig.lab.acquisition import Boards
boards = Boards(sys.argv[1], Path(sys.argv[2]), reaps=False).__enter__()
board = [boards.take(place) for place in sys.argv[3:]][0]
{body}
print("there", flush=True)
time.sleep(100)
"""


@pytest.fixture(scope="module")
def up():
    rack = Up("--cores", "2", "--esp32s", "1", "--time-scale", "0.1")
    yield rack
    rack.end()


def killed_holder(up: Up, *places: str, body: str) -> None:
    command = [sys.executable, "-c", HOLDER.format(body=body), up.coordinator, str(PLACES), *places]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"there\n"
        holder.kill()


def reap(up: Up, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "rig", "lab", "health", "--reap", *words, "--coordinator", up.coordinator]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    return done.returncode, done.stderr


class Coils:
    """The rack's relay board, switched past everybody: whether each line of a place is closed."""

    LINES = {  # noqa: RUF012
        "core-01": ("power", "mode", "reset"),
        "core-02": ("power", "mode", "reset"),
        "esp32-01": ("power", "boot", "reset"),
    }

    def __init__(self, up: Up):
        self._relay = up.ready["relay"]["modbus"]

    @contextlib.contextmanager
    def _coil(self, place: str, line: str):
        coil = 3 * list(self.LINES).index(place) + self.LINES[place].index(line)
        with contextlib.closing(
            ModbusContact(self._relay["host"], self._relay["port"], coil, inverted=False, board=place)
        ) as contact:
            yield contact

    def switch(self, place: str, line: str, closed: bool) -> None:
        with self._coil(place, line) as contact:
            contact.switch(closed)

    def closed(self) -> set[tuple[str, str]]:
        found = set()
        for place, lines in self.LINES.items():
            for line in lines:
                with self._coil(place, line) as contact:
                    if contact.is_closed():
                        found.add((place, line))
        return found


ALL_WELL = {(place, "power") for place in Coils.LINES}


#: How boards of free places were left: place, line, and whether that is closed.
LEFT = {
    "without power": [("core-01", "power", False), ("esp32-01", "power", False)],
    "with a button pressed": [("core-01", "mode", True), ("core-02", "reset", True), ("esp32-01", "boot", True)],
    "with both": [("core-02", "power", False), ("core-02", "mode", True)],
}


@pytest.mark.parametrize("how", LEFT)
def test_boards_of_any_kind_that_stand_still_are_started(up, how):
    for place, line, closed in LEFT[how]:
        Coils(up).switch(place, line, closed)
    places = sorted({place for place, _, _ in LEFT[how]})
    assert reap(up) == (0, f"given back: none; powered: {', '.join(places)}\n")
    assert Coils(up).closed() == ALL_WELL


def test_a_command_with_a_wrong_name_in_it_brings_nothing_back_in_silence(up):
    Coils(up).switch("core-01", "power", False)
    assert reap(up, "core-77") == (2, "rig: no place with a board is called core-77\n")
    assert reap(up) == (0, "given back: none; powered: core-01\n")


def test_places_whose_holder_is_dead_are_given_back_whatever_changed_since(up):
    killed_holder(up, "esp32-01", "core-01", "core-02", body="board.power_off()")
    up.client("-p", "core-01", "set-comment", "who had this?")
    up.client("-p", "core-02", "set-tags", "shelf=3")
    up.client("-p", "esp32-01", "set-tags", "health=quarantine", "reason=dead")
    assert reap(up) == (0, "given back: core-01, core-02, esp32-01; powered: none\n")
    assert Coils(up).closed() == ALL_WELL
    up.client("-p", "esp32-01", "set-tags", "health=ok", "reason=")


def test_mode_that_a_killed_run_held_does_not_reset_the_next_start_to_the_factory(up):
    killed_holder(up, "core-01", body="board.power_off(); board._mode._button.set(True)")
    assert ("core-01", "mode") in Coils(up).closed()
    assert reap(up) == (0, "given back: core-01; powered: none\n")
    with Boards(up.coordinator, PLACES) as boards:
        assert boards.take("core-01").read_application(len(ROLES["old"])) == ROLES["old"].data


@pytest.mark.long
@pytest.mark.parametrize("part_of_rack", some_always(["relay", "core-01"], "core-01"))
def test_a_part_that_hangs_is_a_lab_fault_and_no_board_goes_into_quarantine_for_it(tmp_path, up, part_of_rack):
    run = rig_run(up, tmp_path / "r", "-n", "1", "-k", "programming and page")
    in_flight(tmp_path / "r", 1)
    hung = up.children()[part_of_rack]
    hung.suspend()
    events = iter(lambda: json.loads(run.stdout.readline()), None)
    told = next(event for event in events if event["event"] == "finished")
    hung.resume()
    run.communicate(timeout=HANGS)
    assert (run.returncode, told["result"]) == (3, "lab fault")
    assert health(up, "--reap") == {"core-01": "ok", "core-02": "ok", "esp32-01": "ok"}


def test_a_port_that_hangs_is_not_taken_for_a_silent_board(up):
    with Boards(up.coordinator, PLACES) as boards:
        board = boards.take("esp32-01")
        board.start()
        twin = next(child for child in psutil.Process(up.process.pid).children() if "esp32-01" in str(child.cmdline()))
        twin.suspend()
        with pytest.raises(LabFault, match="serial port does not answer"):
            board.power_off()
        twin.resume()
        board.start()
        assert board.is_alive(board.timing.start)


def test_an_esp32_is_cleared_of_quarantine_by_a_control_cut(up):
    up.client("-p", "esp32-01", "set-tags", "health=quarantine", "reason=dead")
    assert health(up, "--control-cut", "esp32-01") == {"esp32-01": "ok"}


@pytest.fixture
def without_exporter(up):
    """A place like core-01 whose exporter is gone; it is the first that a run would choose."""
    tags = re.search(r"tags: (.*)", up.client("-p", "core-01", "show"))[1].split(", ")
    up.client("-p", "core-00", "create")
    up.client("-p", "core-00", "add-match", "gone/core-00/*")
    up.client("-p", "core-00", "set-tags", *tags)
    yield "core-00"
    up.client("-p", "core-00", "delete")


@pytest.mark.long
def test_a_place_whose_exporter_is_gone_is_passed_over_and_named_once(tmp_path, up, without_exporter):
    run = rig_run(up, tmp_path / "r", "-n", "2", "-k", "text or crashes_at_once")
    events = [json.loads(line) for line in run.communicate(timeout=HANGS)[0].splitlines()]
    assert (run.returncode, events[-1]["verdict"]) == (0, "passed")
    named = [event["text"] for event in events if event["event"] == "told"]
    assert len(named) == 1
    assert f"passed over: {without_exporter}: no exporter offers gone/core-00/*" in named[0]


def test_what_cannot_be_brought_back_is_status_3_and_named(up, without_exporter):
    status, said = reap(up)
    assert (status, said.count(f"rig: {without_exporter}:")) == (3, 1)
    assert "rig lab health --reap" in said


@pytest.mark.usefixtures("up")
def test_what_is_taken_is_told_with_the_command_that_takes_it_away(up):
    up.client("-p", "core-01", "acquire")
    with Boards(up.coordinator, PLACES, reaps=False) as boards, pytest.raises(LabFault) as raised:
        boards.take("core-01")
    _, command, _ = str(raised.value).split("`")
    subprocess.run([SCRIPTS / shlex.split(command)[0], *shlex.split(command)[1:]], check=True, timeout=HANGS)
    assert "core-01" not in up.client("who")


@pytest.mark.long
def test_a_run_that_is_told_to_end_does_so_with_its_workers_and_gives_back_what_they_had(tmp_path, up):
    run = rig_run(up, tmp_path / "r", "-n", "2", "-k", "programming")
    in_flight(tmp_path / "r", 2)
    family = psutil.Process(run.pid).children(recursive=True)
    run.terminate()
    told, _ = run.communicate(timeout=HANGS)
    assert (run.returncode, json.loads(told.splitlines()[-1])["verdict"]) == (3, "interrupted")
    assert gone(family)
    assert "core-0" not in up.client("who")
    assert Coils(up).closed() == ALL_WELL
