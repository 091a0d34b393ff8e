"""`rig serial`: what it leaves of board, file and port, however it ends; and a console that disturbs nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import serial
from esp_flash import IMAGE, RUNNING, TWO_SLOTS, flash, reader
from esp_models import served_board
from esp_rfc2217_server import redirector
from esp_rfc2217_server.esp_port_manager import EspPortManager

from rig.cli.progress import read_into
from rig.drivers.console import Rfc2217Link
from rig.drivers.dfu_host import Progress
from rig.drivers.rom_loader import NO_ANSWER, NO_PORT, RomLoader, SerialAddress
from rig.errors import LabFault, Misuse
from rig.firmware.recipe import EspBootloaderRecipe
from rig.formats import otadata
from rig.formats.partition_table import LAYOUTS
from rig.lab import serial_by_hand
from rig.lab.flash_place import misplaced

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


@pytest.fixture
def served():
    """A board whose flash is blank, and that runs into nothing again and again."""
    with served_board() as board:
        yield board


def rig_serial(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rig", "serial", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(look, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_read_that_is_interrupted_lets_the_board_start_and_leaves_no_file(served, tmp_path, number):
    running = rig_serial("read", tmp_path / "flash.bin", "--port", served.rfc2217_url)
    until(lambda: served.board.downloads)
    running.send_signal(number)
    running.communicate(timeout=30)
    assert running.returncode != 0
    until(lambda: not served.board.downloads)
    assert not (tmp_path / "flash.bin").exists()


def test_a_write_that_is_interrupted_says_what_is_in_flash_then(served, tmp_path):
    (tmp_path / "data.bin").write_bytes(os.urandom(1 << 20))
    running = rig_serial("write", tmp_path / "data.bin", "-s", "0x100000", "--force", "--port", served.rfc2217_url)
    until(lambda: served.board.memory.flash.peek(0x100000, 16) != b"\xff" * 16)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=30)
    assert "of 1,048,576 bytes were written" in told
    assert "write again" in told
    until(lambda: not served.board.downloads)


def test_a_board_that_waited_is_left_to_wait(served):
    served.into_download()
    with pytest.raises(LabFault), serial_by_hand._loader(served.plain_url, [].append, waits=True):
        raise LabFault("as it was to")
    assert served.board.downloads


def test_it_says_that_it_is_looking(served):
    served.into_download()
    said = []
    serial_by_hand.read_flash(served.plain_url, 0, 16, lambda _progress: None, said.append, waits=True)
    assert said == [f"looking for a loader at {served.plain_url}"]


def not_read(_watch):
    pytest.fail("it was read")


def test_a_file_is_made_before_anything_is_read_and_never_written_over(tmp_path):
    (tmp_path / "there").write_bytes(b"dear")
    for name, told in (("there", "is there already"), ("nowhere/file", "cannot write")):
        with pytest.raises(Misuse, match=told):
            read_into(tmp_path / name, 0, not_read, as_json=True)
    assert (tmp_path / "there").read_bytes() == b"dear"


def fails(_watch):
    raise LabFault("as it was to")


def test_nothing_is_left_of_a_file_that_could_not_be_read_into(tmp_path):
    with pytest.raises(LabFault):
        read_into(tmp_path / "a", 0, fails, as_json=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["/dev/zero", "pipe", "folder"])
def test_what_is_no_file_is_not_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Misuse, match="cannot read"):
        serial_by_hand.write_flash("nowhere", 0, tmp_path / name, print, print, force=True, waits=True)


# -- what may be written where -----------------------------------------------------------------------------------------

NOISE = bytes(range(1, 200)) * 16
SLOT = TWO_SLOTS.slot(0).offset
RECORDS = TWO_SLOTS.otadata.offset
STAGE = EspBootloaderRecipe(kind="esp-bootloader", seed="serial", size=4096).build()
WHOLE = bytes(flash((RUNNING, RUNNING)))


def with_stage(contents: bytes, stage: bytes = STAGE) -> bytes:
    """Flash with a second stage in its place."""
    return contents[:0x1000] + stage + contents[0x1000 + len(stage) :]


PLACES = {
    "an application in a slot": (SLOT, IMAGE, None),
    "an application in another's middle": (SLOT + 0x1000, IMAGE, "in the middle of"),
    "noise in a slot": (SLOT, NOISE, "would not start"),
    "a damaged application": (SLOT, IMAGE[:-40] + NOISE[:40], "would not start"),
    "noise over the boot choice": (RECORDS, NOISE * 3, "records of the boot choice"),
    "an application over the boot choice": (RECORDS + 0x1000, IMAGE, "records of the boot choice"),
    "blank records": (RECORDS, b"\xff" * otadata.SIZE, None),
    "noise in plain data": (TWO_SLOTS.rows[0].offset, NOISE, None),
    "a second stage": (0x1000, STAGE, None),
    "noise for a second stage": (0x1000, NOISE, "magic"),
    "noise where nothing is": (0, NOISE, "no partition at 0x0"),
    "another table": (0x8000, LAYOUTS["two_ota"].pack(), None),
    "noise for a table": (0x8000, NOISE, "holds none"),
    "a whole flash": (0, with_stage(WHOLE), None),
    "a whole flash without second stage": (0, WHOLE, "nothing but FF"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_what_no_esp32_could_run_is_refused_where_it_is_to_go(case):
    address, data, reason = PLACES[case]
    refused = misplaced(reader(flash()), address, data)
    assert (refused is None) if reason is None else (reason in (refused or ""))


def test_on_a_board_without_a_table_only_images_and_tables_are_written():
    blank = reader(bytes(0x40_0000))
    assert misplaced(blank, 0x10000, IMAGE) is None
    assert misplaced(blank, 0x8000, TWO_SLOTS.pack()) is None
    assert "no partition" in (misplaced(blank, 0x10000, NOISE) or "")


@pytest.fixture
def two_slots():
    """A board whose second slot would be started next."""
    with served_board(flash=with_stage(bytes(flash((RUNNING, otadata.Record.of(2, otadata.State.VALID)))))) as board:
        board.into_download()
        yield board


def written(board, file, **how):
    return serial_by_hand.write_flash(
        board.plain_url, **{"address": None, "force": False, **how}, file=file, watch=print, say=print, waits=True
    )


def test_without_an_address_a_file_goes_where_the_application_lies_that_would_start(two_slots, tmp_path):
    (tmp_path / "app.bin").write_bytes(IMAGE)
    where, size, _ = written(two_slots, tmp_path / "app.bin")
    assert (where, size) == (TWO_SLOTS.slot(1).offset, len(IMAGE))


def test_noise_is_refused_before_anything_is_written_unless_it_is_forced(two_slots, tmp_path):
    (tmp_path / "noise.bin").write_bytes(NOISE)
    for address in (None, RECORDS, 0):
        with pytest.raises(Misuse, match="no ESP32 could run"):
            written(two_slots, tmp_path / "noise.bin", address=address)
    assert two_slots.board.memory.flash.peek(RECORDS, 32) == RUNNING.pack()
    assert written(two_slots, tmp_path / "noise.bin", address=RECORDS, force=True)[0] == RECORDS


def test_without_an_address_a_blank_board_has_no_place(served, tmp_path):
    served.into_download()
    (tmp_path / "app.bin").write_bytes(IMAGE)
    with pytest.raises(Misuse, match="say where to write with --address"):
        written(served, tmp_path / "app.bin")


def test_a_write_that_ends_between_its_last_byte_and_the_comparison_says_so():
    told = serial_by_hand._HowFar(lambda _progress: None)
    for phase, done in (("erase", 0), ("program", 8)):
        told.hear(Progress(phase, 0x1000, done, 8))
    assert told.left(0x1000, 7) == "all 7 bytes were written, and not compared: write again"


@pytest.mark.parametrize("seconds", [-2.0, float("nan"), float("inf")])
def test_a_console_for_no_time_is_refused(seconds):
    with pytest.raises(Misuse, match="--seconds"):
        serial_by_hand.listen("nowhere", seconds, print)


# -- hints -------------------------------------------------------------------------------------------------------------


def told_by(address: SerialAddress, *, resets: bool) -> LabFault:
    with pytest.raises(LabFault) as caught, RomLoader(address, resets=resets):
        pass
    return caught.value


def test_a_device_that_is_not_there_and_one_that_may_not_be_opened(tmp_path):
    missing = told_by(SerialAddress.parse(str(tmp_path / "ttyUSB0")), resets=True)
    assert (missing.phase, missing.hint) == (NO_PORT, "is it plugged in?")


def test_a_port_that_nobody_serves():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = SerialAddress("127.0.0.1", taken.getsockname()[1])
    assert told_by(address, resets=True).phase == NO_PORT
    assert "served there" in str(told_by(address, resets=True))


def test_a_running_application_behind_a_plain_socket(served):
    fault = told_by(SerialAddress("127.0.0.1", served.plain, "raw"), resets=True)
    assert fault.phase == NO_ANSWER
    assert "no DTR and RTS" in (fault.hint or "")


# -- a console that disturbs nobody ------------------------------------------------------------------------------------


@contextlib.contextmanager
def stock_server(monkeypatch):
    """esptool's own server before a port that has lines; yields its port and what it does to the board."""
    done: list[str] = []
    monkeypatch.setattr(EspPortManager, "_hard_reset_thread", lambda self: done.append("hard reset"))
    monkeypatch.setattr(EspPortManager, "_reset_thread", lambda self: done.append("download"))
    with socket.create_server(("127.0.0.1", 0)) as listening, serial.serial_for_url("loop://", timeout=0.1) as port:

        def serve():
            peer, _ = listening.accept()
            with peer, contextlib.suppress(OSError):
                serving = redirector.Redirector(port, peer)
                serving.shortcircuit()
                serving.stop()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], done
        thread.join(10)


def test_a_console_does_not_reset_a_board_behind_esptools_own_server(monkeypatch):
    with stock_server(monkeypatch) as (port, done):
        serial_by_hand.listen(f"rfc2217://127.0.0.1:{port}", 1.0, lambda _data: None)
    assert done == []


@pytest.mark.parametrize("kind", ["rfc2217 driver", "console"])
def test_neither_does_anybody_who_opens_a_port_of_ours(monkeypatch, kind):
    with stock_server(monkeypatch) as (port, done):
        opened = (
            SerialAddress("127.0.0.1", port).open()
            if kind == "rfc2217 driver"
            else Rfc2217Link("127.0.0.1", port, 115200)
        )
        with contextlib.closing(opened):
            time.sleep(0.5)
    assert done == []


#: What is said of DTR and RTS, and what that server makes of it.
WORDS = {"as pyserial opens a port": ((True, True), "download"), "both let go": ((False, False), "hard reset")}


@pytest.mark.parametrize("case", WORDS)
def test_that_server_takes_any_word_about_the_lines_for_a_reset(monkeypatch, case):
    """What the tests above would see if one was said."""
    lines, expected = WORDS[case]
    with (
        stock_server(monkeypatch) as (number, done),
        contextlib.closing(SerialAddress("127.0.0.1", number).open()) as port,
    ):
        port.dtr, port.rts = lines
        until(lambda: expected in done)


@pytest.mark.parametrize("kind", ["plain_url", "device"])
def test_a_console_prints_what_comes(served, kind):
    here, there = os.openpty()
    with os.fdopen(here, "wb", buffering=0) as device:
        heard, url = [], os.ttyname(there) if kind == "device" else served.plain_url
        speaks = threading.Timer(0.3, device.write, [b"rst:0x1"])  # what came before it was opened is thrown away
        speaks.start()
        serial_by_hand.listen(url, 1.0, heard.append)
        speaks.join()
    os.close(there)
    assert b"rst:0x1" in b"".join(heard)


def test_a_console_does_not_restart_a_board_behind_its_bridge(served):
    served.into_download()
    served.board.events.clear()
    serial_by_hand.listen(served.rfc2217_url, 1.0, lambda _data: None)
    assert served.events == []
