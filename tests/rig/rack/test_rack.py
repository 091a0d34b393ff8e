"""The virtual rack from outside: the stock labgrid-client, acquisition, deaths, and a clean end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

from rig.clock import Clock, wait_for
from rig.errors import LabFault, Misuse
from rig.firmware.checkout import part
from rig.lab.acquisition import Boards, NotHere
from rig.rack.children import Children
from rig.state_folder import FolderLock
from tests.rig.rack.rig_up import Up, gone
from tests.rig.waiting import HANGS


@pytest.fixture
def up():
    rack = Up("--cores", "2", "--time-scale", "0.1")
    yield rack
    if rack.process.poll() is None:
        rack.end()


def test_the_stock_client_lists_acquires_switches_and_releases(up):
    assert up.client("places").split() == ["core-01", "core-02"]
    assert "board=spark-core" in up.client("-p", "core-01", "show")
    up.client("-p", "core-01", "acquire")
    for action, state in (("off", "off"), ("on", "on"), ("cycle", "on")):
        up.client("-p", "core-01", "power", action)
        assert f"is {state}" in up.client("-p", "core-01", "power", "get")
    up.client("-p", "core-01", "io", "high", "mode")
    assert "is high" in up.client("-p", "core-01", "io", "get", "mode")
    up.client("-p", "core-01", "release")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_leaves_no_process_behind(number):
    rack = Up("--cores", "1")
    children = list(rack.children().values())
    assert len(children) == 5
    assert rack.end(number)[0] == 0
    assert gone(children)


def test_a_rack_that_is_killed_takes_its_processes_with_it(up):
    children = list(up.children().values())
    up.process.kill()
    assert gone(children)


@pytest.mark.parametrize("victim", ["core-02", "relay", "exporter", "coordinator", "cloud"])
def test_a_child_that_dies_is_named_and_the_others_go_on(victim):
    rack = Up("--cores", "2")
    children = rack.children()
    children[victim].kill()
    line = rack.process.stderr.readline()
    assert line.startswith(f"rig: {victim} died (exit status -9)")
    assert all(child.is_running() for name, child in children.items() if name not in (victim, "exporter"))
    assert rack.end()[0] == 3
    assert gone(children.values())


def test_boards_are_found_by_their_tags_and_given_back_powered(up):
    with Boards(up.coordinator, part("places", "virtual.yaml")) as boards:
        board = boards.get("spark-core", {"mode": "wired"})
        assert boards.get("spark-core", {}) is board
        assert board.is_alive(board.timing.start)
        board.power_off()
        assert up.client("who").count("core-01") == 1
    assert "core-01" not in up.client("who")
    with Boards(up.coordinator, part("places", "virtual.yaml")) as boards:
        assert boards.get("spark-core", {}).is_alive(5)


def test_a_place_that_nobody_has_is_misuse_and_one_that_is_taken_a_lab_fault(up):
    up.client("-p", "core-01", "acquire")
    up.client("-p", "core-02", "acquire")
    with Boards(up.coordinator, part("places", "virtual.yaml"), wait_seconds=0.1) as boards:
        with pytest.raises(NotHere, match="no place has board=esp32"):
            boards.get("esp32", {})
        with pytest.raises(LabFault, match="every place that fits is taken: core-01 by"):
            boards.get("spark-core", {})


def test_without_a_coordinator_the_error_says_so():
    boards = Boards("127.0.0.1:9", part("places", "virtual.yaml"))
    with pytest.raises(LabFault, match=r"no labgrid coordinator answers at 127\.0\.0\.1:9"):
        boards.__enter__()


def test_an_exporter_that_is_killed_harms_no_board_in_use_and_is_started_again(up):
    exporter = up.children()["exporter"]
    with Boards(up.coordinator, part("places", "virtual.yaml")) as boards:
        board = boards.get("spark-core", {"mode": "wired"})
        exporter.kill()
        assert "exporter died" in up.process.stderr.readline()
        board.power_off()
        board.power_on()
        assert board.is_alive(board.timing.start)
    with Boards(up.coordinator, part("places", "virtual.yaml")) as boards:
        wait_for(
            lambda: boards._coordinator.resources_of("core-02") >= {"usbip", "console", "cloud"},
            seconds=20, reason="the exporter to come back", clock=Clock(), board="core-02",
        )  # fmt: skip
        assert boards.get("spark-core", {}).is_alive(5)


@pytest.mark.long
def test_a_place_whose_exporter_is_stuck_is_a_lab_fault_that_names_it(up):
    exporter = up.children()["exporter"]
    exporter.suspend()
    with Boards(up.coordinator, part("places", "virtual.yaml")) as boards:
        with pytest.raises(LabFault, match="core-01"):
            boards.get("spark-core", {})
        exporter.resume()


def test_a_file_that_is_no_environment_is_named(up, tmp_path):
    bad = tmp_path / "bad.yaml"
    place = 'targets: {main: {resources: {RemotePlace: {name: !template "$LG_PLACE"}}, drivers: '
    wrong = [place + drivers + "}}" for drivers in ("[NoSuchDriver: {}]", "7", "[[5]]")]
    for text in ("targets: [", "imports: [rig.nothing]\ntargets: {}\n", "targets: {}\n", *wrong):
        bad.write_text(text)
        with Boards(up.coordinator, bad) as boards, pytest.raises(Misuse, match=r"bad\.yaml"):
            boards.get("spark-core", {})
    assert up.client("who").count("core-") == 0


def test_what_prints_much_is_not_stopped_by_it(tmp_path):
    children = Children(tmp_path)
    talker = children.start("talker", [sys.executable, "-c", "print('x' * 10_000_000)"])
    assert talker.process.wait(HANGS) == 0
    children.stop()


def test_labgrid_is_loaded_only_while_the_parts_of_a_rack_start():
    code = "import sys, rig.rack.rack; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"labgrid", "grpc"} & set(loaded)


def test_starting_a_child_runs_nothing_in_a_forked_copy_of_us(tmp_path):
    forks = []
    os.register_at_fork(before=lambda: forks.append("fork"))
    children = Children(tmp_path)
    assert children.start("true", [sys.executable, "-c", "pass"]).process.wait(HANGS) == 0
    children.stop()
    assert not forks, "gRPC's threads are in the parent: a child that runs Python before exec may crash"


@pytest.mark.long
def test_a_place_acquired_by_hand_is_used_as_it_is_and_left_acquired(up):
    up.client("-p", "core-02", "acquire")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--lg-env", str(part("places", "virtual.yaml"))]
    env = {**os.environ, "LG_COORDINATOR": up.coordinator, "LG_PLACE": "core-02"}
    command = [sys.executable, *words, str(part("tests", "boards", "spark_core", "test_dfu.py")), "-k", "text"]
    done = subprocess.run(command, env=env, cwd=part("tests"), capture_output=True, text=True, timeout=HANGS)
    assert "1 passed" in done.stdout, done.stdout
    assert "core-02" in up.client("who")


def test_what_a_killed_run_left_off_is_powered_by_the_next(up):
    code = (
        "import sys, time; from pathlib import Path; from rig.lab.acquisition import Boards\n"
        "boards = Boards(sys.argv[1], Path(sys.argv[2])).__enter__()\n"
        "boards.get('spark-core', {}).power_off(); print('off', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, up.coordinator, str(part("places", "virtual.yaml"))]
    run = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"off\n"
    run.kill()
    run.wait()
    assert "core-01" in up.client("who")
    with Boards(up.coordinator, part("places", "virtual.yaml")):
        assert "core-01" not in up.client("who")
    up.client("-p", "core-01", "acquire")
    assert "is on" in up.client("-p", "core-01", "power", "get")


@pytest.mark.long
def test_a_place_that_somebody_took_after_a_killed_run_is_left_alone(up):
    with Boards(up.coordinator, part("places", "virtual.yaml")) as boards:
        boards._coordinator.tag("core-01", held_by=f"{socket.gethostname()}/1/0/0")
    up.client("-p", "core-01", "acquire")
    up.client("-p", "core-01", "power", "off")
    with Boards(up.coordinator, part("places", "virtual.yaml")):
        assert "core-01" in up.client("who")
    assert "is off" in up.client("-p", "core-01", "power", "get")


def test_a_fresh_state_folder_is_filled_and_kept(tmp_path):
    rack = Up("--cores", "1", "--state", str(tmp_path))
    rack.end()
    files = {path.name: path.stat().st_size for path in (tmp_path / "core-01").iterdir()}
    flash = {"internal.bin": 131_072, "external.bin": 2_097_152, "boot-code.sha256": 64}
    assert files == {**flash, f"{rack.ready['boards']['core-01']['core_id']}.pub.pem": 272}


def rig_up(state) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rig", "up", "--cores", "1", "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS)


def test_a_file_is_no_state_folder_and_a_folder_is_one_racks(tmp_path):
    (tmp_path / "file").write_text("")
    done = rig_up(tmp_path / "file")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"--state: cannot write {tmp_path / 'file'}: File exists" in done.stderr
    with contextlib.closing(FolderLock(tmp_path)):
        done = rig_up(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"--state {tmp_path} is another rack's" in done.stderr
