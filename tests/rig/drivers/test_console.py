"""The console recorder: every byte, stamped, across reconnects, over raw TCP and RFC2217 alike."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import attr
import pytest
import serial
import serial.rfc2217
from labgrid import Target
from labgrid.resource import NetworkSerialPort
from pexpect import TIMEOUT

from rig.drivers.console import ConsoleRecorder, RecordedConsoleDriver
from rig.drivers.recording import CONNECTED, LOST
from rig.errors import LabFault, Misuse
from tests.rig.waiting import until


class Board:
    """The other end: a TCP port that comes and goes with the board's power; `rfc2217` controls a loop."""

    def __init__(self, protocol: str):
        self.protocol = protocol
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._server = self._client = None
        self._said = threading.Event()

    def power_on(self):
        self._server = socket.create_server(("127.0.0.1", self.port))

    def accept(self):
        self._client, _ = self._server.accept()
        if self.protocol == "rfc2217":
            port = serial.serial_for_url("loop://", timeout=0)
            client = self._client
            writer = type("Writer", (), {"write": staticmethod(lambda data: client.sendall(bytes(data)))})()
            self._manager = serial.rfc2217.PortManager(port, writer)
            threading.Thread(target=self._negotiate, args=(client,), daemon=True).start()

    def _negotiate(self, client):
        with contextlib.suppress(OSError):
            while data := client.recv(1024):
                b"".join(self._manager.filter(data))

    def say(self, data: bytes):
        out = b"".join(self._manager.escape(data)) if self.protocol == "rfc2217" else data
        self._client.sendall(out)

    def power_off(self):
        self._server.close()
        self._client.shutdown(socket.SHUT_RDWR)
        self._client.close()


@pytest.fixture(params=["raw", "rfc2217"])
def board(request):
    return Board(request.param)


@pytest.fixture
def recorder(board, tmp_path):
    recording = ConsoleRecorder("127.0.0.1", board.port, protocol=board.protocol, keep=tmp_path / "console.jsonl")
    recording.start()
    yield recording
    recording.stop()


def test_the_first_byte_after_power_on_is_recorded_though_nobody_reads(board, recorder):
    time.sleep(0.3)
    board.power_on()
    board.accept()
    before = time.monotonic_ns()
    board.say(b"\xff\x00ets Jun  8 2016")
    entry = recorder.wait_for(rb"2016", seconds=5)
    assert before < entry.at_ns < time.monotonic_ns()
    assert recorder.text == b"\xff\x00ets Jun  8 2016"


def test_a_board_that_comes_back_is_recorded_on_and_its_absence_is_noted(board, recorder):
    for number in range(3):
        board.power_on()
        board.accept()
        board.say(b"boot %d\n" % number)
        assert recorder.wait_for(rb"boot %d\n" % number, seconds=5)
        board.power_off()
        until(lambda: not recorder.connected, "the recorder to see that it is gone")
    assert [entry.kind for entry in recorder.entries] == [CONNECTED, "bytes", LOST] * 3
    assert recorder.text == b"boot 0\nboot 1\nboot 2\n"


def test_what_was_recorded_is_on_disk_line_by_line(board, recorder, tmp_path):
    board.power_on()
    board.accept()
    board.say(b"hello\n")
    recorder.wait_for(b"hello\n", seconds=5)
    lines = [json.loads(line) for line in (tmp_path / "console.jsonl").read_text().splitlines()]
    assert "".join(line["data"] for line in lines) == "hello\n"
    assert [line["at_ns"] for line in lines] == sorted(line["at_ns"] for line in lines)


def test_a_pattern_in_two_pieces_is_found_where_it_was_complete(board, recorder):
    board.power_on()
    board.accept()
    board.say(b"rst:0x1 ")
    recorder.wait_for(b"rst", seconds=5)
    board.say(b"(POWERON)")
    entry = recorder.wait_for(rb"rst:0x1 \(POWERON\)", seconds=5)
    assert entry.data.endswith(b"(POWERON)")
    assert recorder.wait_for(b"rst", seconds=0.1, since_ns=entry.at_ns) is None


def test_writing_to_a_console_that_is_not_there_is_a_lab_fault(recorder):
    with pytest.raises(LabFault, match="no console at"):
        recorder.write(b"i")


def test_no_console_speaks_anything_else():
    with pytest.raises(Misuse, match="raw or rfc2217"):
        ConsoleRecorder("127.0.0.1", 1, protocol="ssh")


def test_labgrid_reads_and_expects_on_a_recording_and_takes_nothing_from_it(board):
    board.power_on()
    target = Target("main")
    port = NetworkSerialPort(target, name=None, host="127.0.0.1", port=board.port, speed=9600, protocol=board.protocol)
    port.avail = True
    driver = RecordedConsoleDriver(target, name=None)
    target.activate(driver)
    board.accept()
    board.say(b"Your core id is 48ff\r\nready\r\n")
    _, _, match, _ = driver.expect(r"core id is (\w+)", timeout=5)
    assert match.group(1) == b"48ff"
    assert driver.recorder.wait_for(b"Your core id", seconds=5)
    with pytest.raises(TIMEOUT):
        driver.expect("never", timeout=0.2)
    target.deactivate(driver)
    assert attr.fields(RecordedConsoleDriver).txdelay.default == 0.0


def test_reading_does_not_negotiate_the_port_anew(board, recorder):
    if board.protocol == "raw":
        pytest.skip("raw TCP negotiates nothing")
    board.power_on()
    board.accept()
    board.say(b"1")
    recorder.wait_for(b"1", seconds=5)
    negotiated = []
    board._manager.filter = lambda data: negotiated.append(data) or [b""]
    for number in range(5):
        board.say(b"%d" % number)
        recorder.wait_for(b"%d" % number, seconds=5)
    assert not negotiated


def test_a_recording_that_cannot_be_kept_is_misuse(tmp_path):
    with pytest.raises(Misuse, match="cannot keep the console in"):
        ConsoleRecorder("127.0.0.1", 1, keep=tmp_path / "nowhere" / "log").start()
