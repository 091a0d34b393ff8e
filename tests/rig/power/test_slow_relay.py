"""Cuts through a relay that answers late and unevenly: landings follow, or say `inferred`; none is wrong."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from rig.clock import Clock
from rig.drivers.dfu_host import EraseOrder
from rig.drivers.relay import TIMEOUT_SECONDS, ModbusContact
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import list_devices
from rig.errors import LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.families.spark_core.sweep.start import into_dfu
from rig.power.cut import Cut
from rig.power.trigger import Aim
from rig.twin.relay import Wire
from tests.rig.families.spark_core.power.test_landing import agrees, update
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, served_core
from tests.rig.twin.served_relay import relay_servers

NEW = ROLES["new"]


@contextlib.contextmanager
def late(port: int, seconds):
    """A TCP proxy that hands each request on after `seconds()`, and answers back at once."""
    server = socket.create_server(("127.0.0.1", 0))

    def pump(source, target, wait):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                time.sleep(wait())
                target.sendall(data)
        target.close()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=pump, args=(near, far, seconds), daemon=True).start()
                threading.Thread(target=pump, args=(far, near, lambda: 0.0), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


class Bench:
    """A served Core on a relay whose power contact is reached through a slow proxy; MODE is pressed directly."""

    def __init__(self, core, relay_port):
        self._core, self._relay_port = core, relay_port
        self._power = self.contact()
        usb = SimpleNamespace(identity=self._identity, device=self._device)
        mode = SimpleNamespace(set=lambda pressed: core.call("mode", {"pressed": pressed}))
        tags = {"timing_scale": "0.1"}
        self.board = SparkCore("core-01", relay=self, mode=mode, usb=usb, tags=tags)

    def contact(self):
        return ModbusContact("127.0.0.1", self._relay_port, 0, inverted=False, board="core-01")

    def on(self):
        self._power.switch(True)

    def off(self):
        self._power.switch(False)

    def get(self):
        return self._power.is_closed()

    def _identity(self):
        devices = list_devices(self._core.host, self._core.usbip_port)
        return f"{devices[0].vendor:04x}:{devices[0].product:04x}" if devices else None

    def _device(self):
        import usb.core

        device = usb.core.find(backend=UsbipBackend(self._core.host, self._core.usbip_port))
        if device is None:
            raise LabFault("nothing on USB")
        return device

    def cut(self, order, aim):
        """Cut an update, and answer how many operations the board had done, and the landing read off its flash."""
        board = self.board
        board.enter_dfu()
        with board.dfu() as host:
            before, flags = host.read(layout.APP_ADDRESS, layout.APP_SIZE), host.read(layout.FLAGS_ADDRESS, 10)
        with Cut(self.contact(), aim) as cut, contextlib.suppress(LabFault):
            board.update(NEW, order=order, watch=cut.watch)
        board.verify_off()
        done = self._core.process.core.memory.journal.next
        board.enter_dfu()
        with board.dfu() as host:
            area, left = host.read(layout.APP_ADDRESS, layout.APP_SIZE), host.read(layout.FLAGS_ADDRESS, 10)
            host.write(layout.APP_ADDRESS, ROLES["old"].data)
            host.leave(layout.APP_ADDRESS)
        return done, DfuWrite(before, flags, NEW.data, order).locate(area, left)


def whole_journal(order):
    core = into_dfu(core_in_memory())
    update(core, order)
    return core.memory.journal


@contextlib.contextmanager
def contact_that_waits(seconds):
    """A contact whose relay answers each request so late."""
    with (
        relay_servers([Wire.parse("power@unix:/nowhere")]) as (_, modbus, _http),
        late(modbus, lambda: seconds) as port,
    ):
        contact = ModbusContact("127.0.0.1", port, 0, inverted=False, board="core-01")
        yield contact
        contact.close()


def test_a_busy_machine_waits_longer_for_its_relay(monkeypatch):
    monkeypatch.setattr(Clock, "slowdown", lambda _clock: 3.0)
    with contact_that_waits(1.3 * TIMEOUT_SECONDS) as contact:
        contact.switch(False)
        assert not contact.is_closed()


def test_a_relay_that_is_silent_on_a_machine_at_rest_does_not_answer(monkeypatch):
    monkeypatch.setattr(Clock, "slowdown", lambda _clock: 1.0)
    with contact_that_waits(1.3 * TIMEOUT_SECONDS) as contact, pytest.raises(LabFault, match="does not switch coil 0"):
        contact.switch(False)


@pytest.fixture
def slow_bench(tmp_path):
    rng = random.Random(1)
    with served_core(tmp_path / "core", time_scale=0.1, powered=False) as core:
        wires = [Wire("power", core.control)]
        with relay_servers(wires) as (_, modbus, _http), late(modbus, lambda: rng.uniform(0, 0.02)) as port:
            yield Bench(core, port)


@pytest.mark.long
def test_landings_follow_a_relay_that_is_late_and_uneven(slow_bench):
    rng = random.Random(2)
    wrong, landed = [], 0
    for _ in range(10):
        order = rng.choice(list(EraseOrder))
        aim = Aim(rng.choice(["erase", "program"]), rng.random(), rng.uniform(0, 3))
        done, landing = slow_bench.cut(order, aim)
        journal = whole_journal(order)
        truth = journal.operation(min(done, journal.next - 1))
        landed += landing.landed
        if landing.phase != "outside" and not agrees(truth, landing):
            wrong.append((aim, truth.kind, hex(truth.address), landing))
        if landing.phase == "outside" and 0 < done < journal.next - 8:
            wrong.append((aim, done, landing))
    assert not wrong, wrong
    assert landed >= 5, "most cuts are still told by flash"
