"""A lab's boards: blank ones brought up, sick ones taken out and cleared, lost ones brought back."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rig.cli.lab import _print_brought, _print_health
from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.trust.core_key import make_core_key, read_server_key, reads_right
from rig.firmware.checkout import part
from rig.lab.acquisition import Boards
from rig.lab.bring_up import Brought
from rig.lab.control_cut import control_cut
from rig.lab.coordinator import Coordinator
from rig.lab.health import Health
from tests.rig.families.spark_core.twin.models import MANIFEST
from tests.rig.rack.rig_up import Up
from tests.rig.waiting import HANGS, until

PLACES = part("places", "virtual.yaml")


def public(key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def up():
    rack = Up("--cores", "3", "--time-scale", "0.1")
    yield rack
    rack.end()


def rig_lab(up, *words) -> tuple[int, list[dict]]:
    command = [sys.executable, "-m", "rig", "lab", *map(str, words), "--coordinator", up.coordinator, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def blank(up, place: str) -> None:
    """Erase the application and the key of a Core."""
    with Boards(up.coordinator, PLACES) as boards:
        board = boards.take(place)
        board.enter_dfu()
        with board.dfu() as host:
            host.write(0x0800_5000, b"\xff" * 10_240)
            host.erase(0x2000)


@pytest.mark.long
def test_blank_boards_are_brought_up_in_one_batch(up, tmp_path):
    server = tmp_path / "server.pem"
    server.write_bytes(public(rsa.generate_private_key(65537, 2048)))
    blank(up, "core-01")
    words = ["core-01", "core-02", "--server", "10.0.0.1", "--server-key", server, "--keys", tmp_path / "keys"]
    status, told = rig_lab(up, "bring-up", *words)
    boards = {row["place"]: row["board"] for row in told}
    assert status == 0, told
    assert {board["generation"] for board in boards.values()} == {"b"}
    assert {board["application"] for board in boards.values()} == {"0.2.1-new"}
    assert {board["server"] for board in boards.values()} == {"10.0.0.1"}
    assert "BEGIN PUBLIC KEY" in (tmp_path / "keys" / f"{boards['core-01']['serial']}.pub.pem").read_text()
    assert "PRIVATE" not in json.dumps(told)


@pytest.mark.long
def test_a_board_that_fails_is_named_and_put_aside_and_the_others_go_on(up):
    up.client("-p", "core-03", "acquire")
    status, told = rig_lab(up, "bring-up", "core-02", "core-03", "core-09")
    faults = {row["place"]: row["fault"] for row in told}
    assert status == 2, "a place that does not exist is misuse"
    assert faults["core-02"] == ""
    assert "is acquired by" in faults["core-03"]
    assert "no place is called" in faults["core-09"]
    up.client("-p", "core-03", "release")


@pytest.mark.long
def test_an_image_that_crashes_is_not_brought_up(up):
    status, told = rig_lab(up, "bring-up", "core-01", "--release", "core-crashing")
    assert status == 1
    assert "core-crashing" in told[0]["fault"]
    assert rig_lab(up, "health", "core-01")[1][0]["health"] == "quarantine"
    assert rig_lab(up, "health", "core-01", "--control-cut")[0] == 0


def test_a_mistake_of_the_caller_touches_no_board(up):
    command = [sys.executable, "-m", "rig", "lab", "bring-up", "core-01", "--release", "core-text"]
    done = subprocess.run([*command, "--coordinator", up.coordinator], capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, "nothing a Core could run" in done.stderr) == (2, True)
    assert rig_lab(up, "health", "core-01")[1][0]["health"] == "ok"


#: How a bring-up is ended, and its exit status.
ENDS = {"SIGTERM": (signal.SIGTERM, 3), "SIGKILL": (signal.SIGKILL, -signal.SIGKILL)}


@pytest.mark.parametrize("case", ENDS)
def test_a_bring_up_that_is_ended_leaves_no_process_and_holds_no_board(up, case):
    number, status = ENDS[case]
    command = [sys.executable, "-m", "rig", "lab", "bring-up", "--all", "-n", "2", "--coordinator", up.coordinator]
    bringing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with Coordinator(up.coordinator) as session:

        def held() -> set[str]:
            return {name for name, place in session.places().items() if place.acquired}

        until(lambda: len(held()) == 2, "two boards to be taken", seconds=60)
        family = psutil.Process(bringing.pid).children(recursive=True)
        bringing.send_signal(number)
        _, said = bringing.communicate(timeout=HANGS)
        psutil.wait_procs(family, timeout=HANGS)
        assert not any(process.is_running() for process in family)
        assert (bringing.returncode, held()) == (status, set())
    assert ("given back as they are: core-01, core-02, core-03" in said) == (case != "SIGKILL")


@pytest.mark.long
def test_a_damaged_key_is_replaced_and_a_good_one_kept(up):
    with Boards(up.coordinator, PLACES) as boards:
        board = boards.take("core-02")
        board.enter_dfu()
        with board.dfu() as host:
            host.write(0x2000, host.read(0x2000, 256))
    _, (first,) = rig_lab(up, "bring-up", "core-02")
    _, (second,) = rig_lab(up, "bring-up", "core-02")
    assert (first["board"]["new_key"], second["board"]["new_key"]) == (True, False)
    assert first["board"]["public_key"] == second["board"]["public_key"]


@pytest.mark.long
def test_a_place_that_does_not_answer_does_not_keep_others_from_being_powered(up):
    up.client("-p", "nowhere", "create")
    up.client("-p", "nowhere", "set-tags", "board=spark-core")
    up.client("-p", "core-03", "acquire")
    up.client("-p", "core-03", "power", "off")
    up.client("-p", "core-03", "release")
    status, told = rig_lab(up, "health", "--reap")
    assert status == 3
    assert {row["place"] for row in told} == {"core-01", "core-02", "core-03", "nowhere"}
    up.client("-p", "core-03", "acquire")
    assert "is on" in up.client("-p", "core-03", "power", "get")
    up.client("-p", "core-03", "release")
    up.client("-p", "nowhere", "delete")


def test_two_runs_that_begin_at_once_reap_once(up):
    code = (
        "import sys; from pathlib import Path; from rig.lab.acquisition import Boards\n"
        "boards = Boards(sys.argv[1], Path(sys.argv[2])).__enter__()\n"
        "boards.get_several('spark-core', {}, 3) if sys.argv[3] == 'hold' else boards.__exit__(None, None, None)\n"
        "print('there', flush=True); sys.argv[3] == 'hold' and __import__('time').sleep(60)\n"
    )
    command = [sys.executable, "-c", code, up.coordinator, str(PLACES)]
    holder = subprocess.Popen([*command, "hold"], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"there\n"
    holder.kill()
    holder.wait()
    runs = [subprocess.Popen([*command, "go"], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [run.communicate(timeout=HANGS)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert "core-0" not in up.client("who")


def test_a_board_in_quarantine_is_not_handed_out_until_a_control_cut_clears_it(up):
    with Boards(up.coordinator, PLACES) as boards:
        for place in ("core-01", "core-02", "core-03"):
            boards.take(place)
            boards.quarantine(place, "no rung brings it back")
        with pytest.raises(LabFault, match=r"in quarantine: core-01 \(no-rung-brings-it-back\)"):
            boards.get("spark-core", {})
    status, told = rig_lab(up, "health", "core-01", "--control-cut")
    assert (status, [row["health"] for row in told]) == (0, ["ok"])
    with Boards(up.coordinator, PLACES) as boards:
        assert boards.get("spark-core", {}).name == "core-01"
        for place in ("core-02", "core-03"):
            boards.clear_quarantine(place)


def test_a_dead_board_is_not_cleared(up, monkeypatch):
    with Boards(up.coordinator, PLACES) as boards:
        board = boards.take("core-02")
        monkeypatch.setattr(board, "update", lambda *_args, **_how: None)
        with pytest.raises((LabFault, DeviceFault)):
            control_cut(board, MANIFEST, lambda _step: None)
        monkeypatch.undo()


@pytest.mark.long
def test_boards_left_off_are_powered_and_those_of_others_left_alone(up):
    for place in ("core-01", "core-02"):
        up.client("-p", place, "acquire")
        up.client("-p", place, "power", "off")
    up.client("-p", "core-01", "release")
    status, told = rig_lab(up, "health", "--reap")
    assert status == 0, told
    assert {row["place"]: bool(row["holder"]) for row in told} == {"core-01": False, "core-02": True, "core-03": False}
    up.client("-p", "core-01", "acquire")
    assert "is on" in up.client("-p", "core-01", "power", "get")
    assert "is off" in up.client("-p", "core-02", "power", "get")
    for place in ("core-01", "core-02"):
        up.client("-p", place, "power", "on")
        up.client("-p", place, "release")


def test_health_names_every_place(up):
    status, told = rig_lab(up, "health")
    assert (status, {row["health"] for row in told}, len(told)) == (0, {"ok"}, 3)


RACKS = {
    "that is not there": (None, "no such file"),
    "of noise": (bytes(range(256)), "is no labgrid environment"),
    "that is empty": (b"", "it has no targets"),
    "that is another file": (b"[image]\nname = 3\n", "is no labgrid environment"),
}


@pytest.mark.parametrize("verb", ["health", "bring-up --all"])
@pytest.mark.parametrize("case", RACKS)
def test_a_rack_file_is_looked_at_before_any_board_is(tmp_path, case, verb):
    content, reason = RACKS[case]
    if content is not None:
        (tmp_path / "rack").write_bytes(content)
    command = [sys.executable, "-m", "rig", "lab", *verb.split(), "--rack", str(tmp_path / "rack")]
    done = subprocess.run([*command, "--coordinator", "127.0.0.1:9"], capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert reason in done.stderr


def test_a_board_that_failed_is_no_serial_number(capsys):
    _print_brought([Brought("core-01", None, "while acquiring: is taken", 3)], ("serial",))
    header, row = (line for line in capsys.readouterr().out.splitlines() if "place" in line or "core-01" in line)
    cells = dict(zip(re.split(r" *[┃│] *", header), re.split(r" *[┃│] *", row), strict=True))
    assert (cells.get("result"), cells.get("serial")) == ("failed", "")


def test_the_reason_of_a_quarantine_is_a_whole_line_below_the_table(capsys):
    reason = "MODE-held-from-power-on-ends-in-silence-not-in-DFU-" + "and-so-on-" * 6
    _print_health([Health("core-01", "spark-core", "quarantine", reason, "", "Modbus"), Health(*["core-02"] * 6)])
    assert f"core-01, quarantine: {reason}" in capsys.readouterr().out.splitlines()


def test_a_place_that_does_not_exist_has_no_health(up):
    command = [sys.executable, "-m", "rig", "lab", "health", "core-77", "--coordinator", up.coordinator]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, done.stderr.strip()) == (2, "rig: no place with a board is called core-77")


def test_keys_that_a_core_would_misread_are_not_made():
    key = serialization.load_der_private_key(make_core_key().private_der, None)
    assert reads_right(key)
    assert key.key_size == 1024


WRONG_KEYS = {
    "too short": lambda: public(rsa.generate_private_key(65537, 1024)),
    "another kind": lambda: public(ec.generate_private_key(ec.SECP256R1())),
    "no key": lambda: b"-----BEGIN",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_a_server_key_that_no_core_takes_is_refused(tmp_path, case):
    (tmp_path / "server.pem").write_bytes(WRONG_KEYS[case]())
    with pytest.raises(Misuse, match=r"public key|RSA-2048"):
        read_server_key(tmp_path / "server.pem")


RECORDS = {"an address": "10.1.2.3", "a name": "device.spark.io", "none": None}


@pytest.mark.parametrize("case", RECORDS)
def test_a_server_record_is_read_as_it_was_written(case):
    record = ServerRecord(bytes(294), RECORDS[case])
    assert ServerRecord.unpack(record.pack()) == record
    assert len(record.pack()) == 512
