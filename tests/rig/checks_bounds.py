"""Named checks of what servers and recorders allow, for test_mutants and the tests beside it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
from dataclasses import replace
from types import SimpleNamespace

import control_ports
from control_ports import door_in
from loop_thread import LoopThread
from models import served_core
from waiting import until

from rig.clock import Clock, look_for
from rig.drivers.recording import DROPPED, Entry, Recording, RecordingFile
from rig.drivers.usbip_link import list_devices
from rig.errors import Misuse
from rig.formats import usbip
from rig.formats.json_object import NotAnObject, read_object
from rig.formats.usb import Setup
from rig.limits import MODBUS, TWIN_CONTROL
from rig.listener import Listener
from rig.servers.fault_list import FaultList
from rig.servers.https.faults import Fault
from rig.servers.https.journal import MOST_KEPT_BYTES, Journal
from rig.servers.https.server import _told_of
from rig.servers.https.shelf import MIB, Shelf
from rig.servers.spark.connection import Connection
from rig.twin.control import ControlServer
from rig.twin.modbus import ModbusServer, answer
from rig.twin.shelly import Refused, ShellyServer
from rig.twin.spark_core.app.console import MOST_TYPED

READ_COIL = bytes.fromhex("000100000006010100000001")


class Coils:
    """Two contacts, both open."""

    def __init__(self):
        self.closed = [False, False]

    def read(self):
        return self.closed

    def write(self, address, values):
        self.closed[address : address + len(values)] = values

    def switch(self, channel, closed):
        self.closed[channel] = closed


@contextlib.contextmanager
def on_loop(make):
    """A server on a loop of its own, and its port."""
    loop = LoopThread()
    server = loop.call(make)
    port = loop.run(server.start("127.0.0.1", 0))
    try:
        yield server, port
    finally:
        closing = loop.call(server.close)
        if asyncio.iscoroutine(closing):
            loop.run(closing)
        loop.close()


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def hangs_up(sock, seconds=10.0):
    """Whether the other end does, within so long."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


# -- peers -------------------------------------------------------------------------------------------------------------


def one_connection_too_many_is_refused(tmp_path):
    with on_loop(lambda: ModbusServer(Coils(), replace(MODBUS, connections=3))) as (server, port):
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(dial(port))
            until(lambda: len(server.connections) == 3, "three connections")
            assert hangs_up(stack.enter_context(dial(port)), 1.0)
        until(lambda: not server.connections, "all to be gone")
        with dial(port) as sock:
            sock.sendall(READ_COIL)
            assert sock.recv(20)


def whoever_waited_for_a_file_is_let_in(tmp_path, number=errno.EMFILE):
    """`accept` fails, for want of files for example, a few times: it is tried again."""

    class Poor(socket.socket):
        refusals = 3

        def accept(self):
            if self.refusals:
                self.refusals -= 1
                raise OSError(number, "so it is")
            return super().accept()

    loop = LoopThread()
    sock = Poor(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    listener = loop.call(lambda: Listener(asyncio.Protocol, MODBUS))
    loop.call(listener.serve, sock)
    with dial(sock.getsockname()[1]):
        let_in = look_for(lambda: listener.count or None, seconds=5.0, clock=Clock())
        loop.call(listener.close)
        loop.close()
    assert let_in


def a_stranger_is_hung_up_on(tmp_path):
    server = on_loop(lambda: ModbusServer(Coils(), replace(MODBUS, idle=0.2)))
    with server as (_, port), dial(port) as silent, dial(port) as known:
        known.sendall(READ_COIL)
        assert known.recv(20)
        assert hangs_up(silent, 3.0)
        assert not hangs_up(known, 0.3)


def an_importer_that_does_not_read_is_not_answered_without_end(tmp_path):
    submit = usbip.Submit(1, 0x10002, True, 0, 4096, Setup(0x80, 6, 0x0200, 0, 4096).pack()).pack()
    with served_core(tmp_path / "core") as core:
        until(lambda: list_devices(core.host, core.usbip_port), "USB")
        with dial(core.usbip_port) as sock:
            sock.sendall(usbip.op(usbip.REQ_IMPORT) + b"1-1".ljust(usbip.BUSID_SIZE, b"\0"))
            sock.settimeout(1.0)
            with contextlib.suppress(OSError):
                for _ in range(300):
                    sock.sendall(submit * 1000)
            importer = core.process.usbip.importer
            waiting = importer._transport.get_write_buffer_size() if importer is not None else 0
        assert waiting < 4 * MIB


def a_core_that_does_not_read_is_not_listened_to(tmp_path):
    async def act():
        connection, said = Connection(None), []
        connection.transport = SimpleNamespace(
            pause_reading=lambda: said.append("pause"),
            resume_reading=lambda: said.append("resume"),
            is_closing=lambda: False,
        )
        connection.pause_writing()
        connection.resume_writing()
        return said

    assert asyncio.run(act()) == ["pause", "resume"]


def what_is_typed_waits_outside(tmp_path):
    with served_core(tmp_path / "core") as core:
        console = core.process.core.console
        until(lambda: console.open and core.process.console_port._listener, "the console")
        with dial(core.process.console_port._address[1]) as sock:
            sock.settimeout(0.5)
            core.process.core._stimulate = lambda: None
            with contextlib.suppress(OSError):
                for _ in range(200):
                    sock.sendall(b"q" * 65536)
            assert 0 < len(console.received) <= MOST_TYPED + 1024


# -- lines -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _twin_control(folder, **changes):
    """A twin's control port, as its ready line tells it."""
    loop = LoopThread()
    server = ControlServer({"list": lambda _request: {}}, replace(TWIN_CONTROL, **changes))
    try:
        yield loop.run(server.start(door_in(folder)))
    finally:
        loop.call(server.close)
        loop.close()


def long_lines_of_all_peers_have_a_bound(tmp_path):
    limits = {"message": 1 * MIB, "in_all": 1 * MIB}
    with _twin_control(tmp_path, **limits) as told, contextlib.ExitStack() as stack:
        said = []
        for _ in range(3):
            sock = stack.enter_context(control_ports.dial(told))
            sock.sendall(b"x" * 700_000)
            sock.settimeout(2.0)
            with contextlib.suppress(TimeoutError):
                said.append(sock.recv(200))
        assert any(b"too many long requests" in each for each in said)


def a_line_without_end_is_refused(tmp_path):
    with _twin_control(tmp_path) as told, control_ports.dial(told) as sock:
        sock.settimeout(3.0)
        with contextlib.suppress(OSError):
            sock.sendall(b"x" * 300_000)
        with contextlib.suppress(TimeoutError):
            assert b"longer than 65,536 bytes" in sock.recv(200)
            return
        raise AssertionError("it is listened to for ever")


def is_refused(data):
    try:
        read_object(data)
    except NotAnObject:
        return True
    return False


def a_large_structure_is_not_built(tmp_path):
    assert is_refused(b'{"a": [' + b"[]," * 100_000 + b"1]}")


def deep_json_is_refused(tmp_path):
    assert is_refused(b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}")


def what_no_number_holds_is_none(tmp_path):
    assert is_refused(b'{"a": 1e999}')


def nan_is_no_number(tmp_path):
    assert is_refused(b'{"a": NaN}')


def endless_digits_are_refused(tmp_path):
    assert is_refused(b'{"a": ' + b"9" * 500 + b"}")


def half_a_pair_is_no_text(tmp_path):
    assert is_refused(b'{"a": "\\ud800"}')


def true_is_no_address(tmp_path):
    with served_core(tmp_path / "core") as core:
        answer_to = core.process.control_port.answer
        assert "error" in core.loop.call(answer_to, {"do": "wear", "address": True})
        assert core.loop.call(answer_to, {"do": "wear", "address": 1}) == {"worn_out": {"0x1": 1}}


# -- the relay ---------------------------------------------------------------------------------------------------------


def only_two_values_are_a_coils(tmp_path):
    coils = Coils()
    assert answer(bytes.fromhex("0500001234"), coils) == b"\x85\x03"
    assert answer(bytes.fromhex("050000FF00"), coils) == bytes.fromhex("050000FF00")
    assert coils.closed == [True, False]


def a_coil_behind_the_last_is_refused(tmp_path):
    assert answer(bytes.fromhex("01 0001 0002"), Coils()) == b"\x81\x02"


def _shelly(**params):
    """What a call switches, and the code of its error."""
    coils = Coils()
    try:
        asyncio.run(_server(coils)._answer({"id": 1, "method": "Switch.Set", "params": params}))
    except Refused as error:
        return coils.closed, error.code
    return coils.closed, None


def _server(coils):
    server = ShellyServer.__new__(ShellyServer)
    server._switches = coils
    return server


def text_switches_nothing(tmp_path):
    assert _shelly(id=0, on="false") == ([False, False], -103)
    assert _shelly(id=0, on=True) == ([True, False], None)


def part_of_a_channel_is_none(tmp_path):
    assert _shelly(id=0.9, on=True) == ([False, False], -103)
    assert _shelly(id=True, on=True) == ([False, False], -103)


# -- what is kept ------------------------------------------------------------------------------------------------------


def a_journal_has_a_bound_in_bytes(tmp_path):
    journal = Journal()
    headers = {f"x-{number}": "a" * 8000 for number in range(100)}
    for number in range(2000):
        journal.requests.append(journal.tell("request", None, None, request=number, headers=_told_of(headers)))
    kept = sum(len(json.dumps(entry)) for entry in journal.requests)
    assert kept <= MOST_KEPT_BYTES
    assert journal.requests[-1]["request"] == 1999


def long_headers_are_told_of_in_short(tmp_path):
    told = _told_of({f"x-{number}": "a" * 8000 for number in range(100)})
    assert sum(len(name) + len(value) for name, value in told.items()) < 64 * 1024
    assert told["…"] == "52 more"


def faults_are_not_planned_without_end(tmp_path):
    faults: FaultList[Fault] = FaultList()
    refused = 0
    for _ in range(5000):
        try:
            faults.add(Fault("empty"))
        except Misuse:
            refused += 1
    assert refused == 5000 - 4096


def files_have_a_bound_in_all(tmp_path):
    shelf = Shelf()
    image = bytes(32 * MIB)
    with contextlib.suppress(Misuse):
        for number in range(100):
            shelf.publish(f"/{number}", image)
    assert len(shelf.files) == 16


def a_recording_keeps_the_newest_behind_a_mark(tmp_path):
    recording = Recording(most_bytes=1000)
    for at in range(100):
        recording.add(Entry(at, "bytes", b"%03d" % at * 10))
    mark, *kept = recording.entries
    assert (mark.kind, mark.count) == (DROPPED, 3000 - sum(len(entry.data) for entry in kept))
    assert kept[-1].data == b"099" * 10
    assert sum(len(entry.data) for entry in kept) <= 1000
    assert recording.size == 3000


def a_recording_on_disk_has_a_bound_and_a_mark(tmp_path):
    file = RecordingFile(tmp_path / "log", most=20_000)
    for at in range(2000):
        file.write(Entry(at, "bytes", b"%04d" % at))
    file.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 21_000
    before, now = ([json.loads(line) for line in (tmp_path / name).open()] for name in ("log.before", "log"))
    assert now[-1]["data"] == "1999"
    assert now[0]["kind"] == DROPPED
    assert now[0]["count"] + sum(len(line["data"]) for line in (*before, *now)) == 8000
