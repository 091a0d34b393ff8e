"""Named checks of what servers and recorders allow, for test_mutants and the tests beside it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

from rig import listener
from rig.clock import Clock, poll
from rig.drivers.usbip_link import list_devices
from rig.families.spark_core.servers.connection import Connection
from rig.families.spark_core.twin.console import MOST_TYPED
from rig.formats import usbip
from rig.formats.usb import Setup
from rig.limits import MODBUS, TWIN_CONTROL
from rig.listener import Listener
from rig.servers.https.published_files import MIB
from rig.twin.modbus import ModbusServer, _Connection, answer
from rig.twin.shelly import Refused, ShellyServer
from tests.rig.families.spark_core.twin.models import served_core
from tests.rig.loop_thread import LoopThread
from tests.rig.waiting import until

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
        let_in = poll(lambda: listener.count or None, seconds=5.0, clock=Clock())
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


def a_modbus_client_that_does_not_read_is_not_answered(_folder):
    connection, told = _Connection(ModbusServer(Coils())), []
    connection.transport = SimpleNamespace(
        write=told.append, pause_reading=lambda: None, resume_reading=lambda: None, is_closing=lambda: False
    )
    connection._idle_timeout = SimpleNamespace(is_known=lambda: None)
    connection.pause_writing()
    connection.get_buffer(-1)[: len(READ_COIL)] = READ_COIL
    connection.buffer_updated(len(READ_COIL))
    assert not told, "it was answered though it does not read"
    connection.resume_writing()
    assert len(told) == 1


# -- the relay ---------------------------------------------------------------------------------------------------------


def only_two_values_are_a_coils(tmp_path):
    coils = Coils()
    assert answer(bytes.fromhex("0500001234"), coils) == b"\x85\x03"
    assert answer(bytes.fromhex("050000FF00"), coils) == bytes.fromhex("050000FF00")
    assert coils.closed == [True, False]


class NoCoils(Coils):
    """A relay that breaks."""

    def read(self):
        raise RuntimeError("broken")


def who_cannot_be_answered_is_hung_up_on(tmp_path):
    with on_loop(lambda: ModbusServer(NoCoils())) as (_, port), dial(port) as client:
        client.sendall(READ_COIL)
        assert hangs_up(client, 3.0)


def room_for_peers_is_made_at_every_door(tmp_path):
    """A Unix socket and a serial port take as much of this process's files as any other."""

    async def most():
        return Listener(asyncio.Protocol, TWIN_CONTROL).limits.connections

    with patch.object(listener, "make_room", lambda _connections: 7):
        assert asyncio.run(most()) == 7


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
