"""`rig serial`: what it leaves of board, file and port, however it ends; and what it says of a port it cannot use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from rig.drivers.progress import Progress
from rig.errors import LabFault, Misuse, NoAnswer
from rig.families.esp32.drivers.loader import NO_ANSWER, NO_PORT, RomLoader, SerialAddress
from rig.families.esp32.lab import serial as serial_by_hand
from rig.terminal.memory import read_into
from tests.rig.waiting import HANGS, until

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


def rig_serial(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rig", "serial", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_read_that_is_interrupted_lets_the_board_start_and_leaves_no_file(esp32, tmp_path, number):
    running = rig_serial("read", tmp_path / "flash.bin", "--port", esp32.rfc2217_url)
    until(lambda: esp32.board.downloads, "the download")
    running.send_signal(number)
    running.communicate(timeout=HANGS)
    assert running.returncode != 0
    until(lambda: not esp32.board.downloads, "the board to start")
    assert not (tmp_path / "flash.bin").exists()


def test_a_write_that_is_interrupted_says_what_is_in_flash_then(esp32, tmp_path):
    (tmp_path / "data.bin").write_bytes(os.urandom(1 << 20))
    running = rig_serial("write", tmp_path / "data.bin", "-s", "0x100000", "--force", "--port", esp32.rfc2217_url)
    until(lambda: esp32.board.memory.flash.read(0x100000, 16) != b"\xff" * 16, "the first bytes")
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=HANGS)
    assert "of 1,048,576 bytes were written" in told
    assert "write again" in told
    until(lambda: not esp32.board.downloads, "the board to start")


def test_a_board_that_waited_is_left_to_wait(esp32):
    esp32.into_download()
    with pytest.raises(LabFault), serial_by_hand._loader(esp32.plain_url, [].append, waits=True):
        raise LabFault("as it was to")
    assert esp32.board.downloads


def test_it_says_that_it_is_looking(esp32):
    esp32.into_download()
    said = []
    serial_by_hand.read_flash(esp32.plain_url, 0, 16, lambda _progress: None, said.append, waits=True)
    assert said == [f"looking for a loader at {esp32.plain_url}"]


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


def test_a_write_that_ends_between_its_last_byte_and_the_comparison_says_so():
    told = serial_by_hand._HowFar(lambda _progress: None)
    for phase, done in (("erase", 0), ("program", 8)):
        told.hear(Progress(phase, 0x1000, done, 8))
    assert told.left(0x1000, 7) == "all 7 bytes were written, and not compared: write again"


# -- hints -------------------------------------------------------------------------------------------------------------


def identify(address: SerialAddress, *, resets: bool) -> LabFault:
    with pytest.raises(LabFault) as caught, RomLoader(address, resets=resets):
        pass
    return caught.value


def test_a_device_that_is_not_there_and_one_that_may_not_be_opened(tmp_path):
    missing = identify(SerialAddress.parse(str(tmp_path / "ttyUSB0")), resets=True)
    assert (missing.phase, missing.hint) == (NO_PORT, "is it plugged in?")


def test_a_port_that_nobody_serves():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = SerialAddress("127.0.0.1", taken.getsockname()[1])
    assert identify(address, resets=True).phase == NO_PORT
    assert "served there" in str(identify(address, resets=True))


def test_a_running_application_behind_a_plain_socket(esp32):
    fault = identify(SerialAddress("127.0.0.1", esp32.plain, "raw"), resets=True)
    assert (type(fault), fault.phase) == (NoAnswer, NO_ANSWER)
    assert "no DTR and RTS" in (fault.hint or "")
