"""`rig twin` as a user starts it: ready line, flash files, a kill, a port that is taken, and one start alone."""

from __future__ import annotations

import contextlib
import errno
import json
import signal
import socket
import subprocess
import sys

import pytest

from rig.drivers.usbip_link import UsbipLink, list_devices
from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.formats import dfuse
from rig.formats.usb import Setup
from rig.ports import taking
from rig.twin.control import ControlServer
from tests.rig.control.control_ports import dial
from tests.rig.families.spark_core.twin.models import ROLES, RUNNING_FLAGS, shipped_memory
from tests.rig.families.spark_core.twin.recordings import boot_memory, load
from tests.rig.waiting import HANGS

RIG = [sys.executable, "-m", "rig"]


def rig(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RIG, *map(str, words)], capture_output=True, text=True, timeout=HANGS)


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*options: str):
        command = [*RIG, "twin", "spark-core", "--state", str(tmp_path), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process, json.loads(process.stdout.readline())

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def ship(folder) -> None:
    memory = shipped_memory()
    (folder / "internal.bin").write_bytes(memory.internal.dump())
    (folder / "external.bin").write_bytes(memory.external.dump())


def test_a_fresh_core_is_in_dfu_and_a_shipped_one_listens(start, tmp_path):
    _, ready = start("--time-scale", "0")
    assert set(ready) == {"ready", "usbip", "control", "console", "core_id", "generation", "public_key"}
    assert list_devices("127.0.0.1", ready["usbip"]["port"])[0].product == 0x607F


def test_sigterm_ends_it_quietly(start):
    process, _ = start()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=HANGS)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_core_id_decides_the_serial_number(start):
    _, ready = start("--time-scale", "0", "--core-id", "48ff6c065067555026311387")
    link = UsbipLink("127.0.0.1", ready["usbip"]["port"], "1-1")
    assert link.control(Setup(0x80, 6, 0x0303, 0x0409, 255))[2:].decode("utf-16-le") == "8D80306E5055"


def test_power_off_at_the_beginning_shows_no_device(start):
    _, ready = start("--power", "off")
    assert list_devices("127.0.0.1", ready["usbip"]["port"]) == []


def test_a_killed_process_leaves_what_flash_had(start, tmp_path):
    process, ready = start("--time-scale", "0")
    link = UsbipLink("127.0.0.1", ready["usbip"]["port"], "1-1")
    link.control(Setup(0x21, dfuse.CLRSTATUS, 0, 0, 0))
    for data, block in ((dfuse.pointer_command(layout.APP_ADDRESS), 0), (b"\x12\x34" * 512, 2)):
        link.control(Setup(0x21, dfuse.DNLOAD, block, 0, len(data)), data)
        while link.control(Setup(0xA1, dfuse.GETSTATUS, 0, 0, 6))[4] != dfuse.DNLOAD_IDLE:
            pass
    process.kill()
    process.wait()
    assert (tmp_path / "internal.bin").read_bytes()[0x5000:0x5400] == b"\x12\x34" * 512


def test_the_control_port_shows_and_presses(start, tmp_path):
    ship(tmp_path)
    _, ready = start("--time-scale", "0")
    with dial(ready["control"]) as sock:
        talk = sock.makefile("rw")

        def ask(**words):
            print(json.dumps(words), file=talk, flush=True)
            return json.loads(talk.readline())

        assert ask(do="status")["flags16"].startswith(RUNNING_FLAGS.hex())
        assert ask(do="power", on=False) == {"power": False}
        assert ask(do="mode", pressed=True) == {"mode": True}
        assert ask(do="reset") == {"reset": False}
        assert ask(do="journal")["operations"] == 0
        assert ask(do="events")["events"][0]["name"] == "power-on"
        assert "expected" in ask(do="dance")["error"]
        assert "power" in ask(do="power")["error"]


@pytest.mark.parametrize("words", [{"do": "power", "on": "x"}, {"do": "power", "on": 1}, {"do": "mode", "pressed": []}])
def test_what_is_no_switch_switches_nothing(words):
    moved = []
    server = ControlServer({"power": moved.append, "mode": moved.append})
    told = server.answer(words)
    assert moved == []
    assert "is true or false, not" in told["error"]


LISTENING = {
    "taken": (errno.EADDRINUSE, "port 0 takes a free one"),
    "not this machine's": (errno.EADDRNOTAVAIL, "is it an address of this machine"),
    "not ours to have": (errno.EACCES, "below 1024"),
}


@pytest.mark.parametrize("case", LISTENING)
def test_who_cannot_listen_is_told_what_helps(case):
    number, hint = LISTENING[case]
    with pytest.raises(LabFault, match="cannot listen on") as caught, taking("1.2.3.4", 80):
        raise OSError(number, "so it is")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("line", [b"{}\n", b'{"do": []}\n', b'{"do": 1}\n'])
def test_a_bad_line_is_answered_and_the_port_goes_on(start, line):
    _, ready = start()
    with dial(ready["control"]) as sock:
        sock.sendall(line + b'{"do": "status"}\n')
        talk = sock.makefile()
        assert "error" in json.loads(talk.readline())
        assert "power" in json.loads(talk.readline())


def test_an_endless_line_ends_its_own_connection_only(start):
    _, ready = start()
    with dial(ready["control"]) as sock:
        sock.sendall(b"x" * 200_000)
        assert b"longer than" in sock.recv(100)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(10) == b""
    dial(ready["control"]).close()


MISUSE = {
    "no state": (["twin", "spark-core"], 2, "--state is missing"),
    "a bad core id": (["twin", "spark-core", "--state", "STATE", "--core-id", "xyz"], 2, "24 hex digits"),
    "a truncated flash file": (
        ["twin", "spark-core", "--state", "SHORT"],
        2,
        "internal.bin: flash contents are 5 bytes",
    ),
    "a port in use": (["twin", "spark-core", "--state", "STATE", "--usbip-port", "TAKEN"], 3, "cannot listen on"),
    "no such manifest": (
        ["twin", "spark-core", "--state", "STATE", "--manifest", "/none"],
        2,
        "cannot read the manifest",
    ),
    "a relay on a used port": (
        ["twin", "relay", "--wire", "power@h:1", "--modbus-port", "TAKEN"],
        3,
        "cannot listen on",
    ),
    "a bad wire": (["twin", "relay", "--wire", "power"], 2, "LINE@ADDRESS"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_errors_are_one_line_with_the_right_status(tmp_path, case):
    words, status, reason = MISUSE[case]
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "internal.bin").write_bytes(b"short")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = {"STATE": tmp_path / "s", "SHORT": tmp_path / "short", "TAKEN": taken.getsockname()[1]}
        done = rig(*[names.get(word, word) for word in words])
    assert done.returncode == status
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


ONE_START = {
    "b after a watchdog reset": (
        "boot/spark_static.json.gz", "b", lambda case: case["cat"] == "watchdog" and case["result"]["outcome"] == "app",
    ),
    "a2013 with MODE held": ("boot/sparkA_static.json.gz", "A2013", lambda case: case["hold_ms"] == 11000),
    "c that restores for ever": ("boot/sparkC_static.json.gz", "c", lambda case: case["result"]["outcome"] == "loop"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_START)
def test_one_start_alone_tells_what_the_vectors_tell(tmp_path, name):
    recording, generation, chosen = ONE_START[name]
    static = load(recording)
    case = next(case for case in static["vectors"] if chosen(case))
    memory = boot_memory(recording, case)
    (tmp_path / "i").write_bytes(memory.internal.dump())
    (tmp_path / "e").write_bytes(memory.external.dump())
    hashes = {name: image["sha256"] for name, image in static["images"].items()}
    good = [f"--good={name}={hashes[name]}" for name in case["good"]]
    good += [f"--image={name}={hashes[name]}" for name in hashes.keys() - case["good"]]
    registers = [f"--dr={number}={value}" for number, value in case["dr"].items()]
    words = [
        "--internal",
        tmp_path / "i",
        "--external",
        tmp_path / "e",
        "--cause",
        case["cause"],
        "--generation",
        generation,
        "--hold-ms",
        case["hold_ms"],
        "--out",
        tmp_path / "o",
    ]
    done = rig("twin", "spark-core", "boot", *words, *good, *registers, "--json")
    assert json.loads(done.stdout) == case["result"]
    assert (tmp_path / "o" / "internal.bin").read_bytes() != memory.internal.dump()


BOOT_MISUSE = {
    "a register that does not exist": (["--dr", "11=1"], "registers are 1 to 10"),
    "a register that is no number": (["--dr", "one"], "NUMBER=VALUE"),
    "a cause that does not exist": (["--cause", "lightning"], "one of power-on"),
    "a sha256 that is none": (["--good", "abc"], "SHA256"),
}


@pytest.mark.parametrize("case", BOOT_MISUSE)
def test_a_start_with_bad_options_is_refused(tmp_path, case):
    ship(tmp_path)
    options, reason = BOOT_MISUSE[case]
    files = ["--internal", tmp_path / "internal.bin", "--external", tmp_path / "external.bin"]
    done = rig("twin", "spark-core", "boot", *files, *options)
    assert done.returncode == 2
    assert reason in done.stderr
    assert ROLES["old"].data == (tmp_path / "internal.bin").read_bytes()[0x5000 : 0x5000 + len(ROLES["old"])]


def test_a_bootloader_that_was_written_over_stays_lost_when_the_process_starts_again(start, tmp_path):
    process, _ = start("--time-scale", "0", "--power", "off")
    process.kill()
    process.communicate()
    pages = bytearray((tmp_path / "internal.bin").read_bytes())
    pages[:1024] = ROLES["new"].data[:1024]
    (tmp_path / "internal.bin").write_bytes(pages)
    _, ready = start("--time-scale", "0")
    assert ready["generation"] is None
    assert list_devices("127.0.0.1", ready["usbip"]["port"]) == []


def test_an_image_of_ones_own_runs_when_its_file_is_named(start, tmp_path):
    own = b"\x00\x50\x00\x20" + bytes(range(200))
    (tmp_path / "mine.bin").write_bytes(own)
    ship(tmp_path)
    internal = bytearray((tmp_path / "internal.bin").read_bytes())
    internal[0x5000 : 0x5000 + len(own)] = own
    (tmp_path / "internal.bin").write_bytes(internal)
    _, ready = start("--time-scale", "0", "--good", str(tmp_path / "mine.bin"))
    with dial(ready["control"]) as sock:
        sock.sendall(b'{"do": "status"}\n')
        assert json.loads(sock.makefile().readline())["running"] == "mine"
