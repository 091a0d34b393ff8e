"""Speed, on demand: `pytest tests/rig/benchmarks/bench_paths.py`; a figure stands beside a peer of the same run.

No figure is asserted; compare the medians pytest-benchmark prints.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time

import pytest
import usb.core

from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.drivers.progress import Progress
from rig.drivers.relay import ModbusContact
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import UsbipLink
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.formats.usb import Setup
from rig.power.cut import Cut
from rig.power.trigger import Aim
from rig.rack.plan import RackPlan
from rig.rack.rack import VirtualRack
from tests.rig.families.spark_core.twin.models import MANIFEST, core_in_memory, settle, shipped_memory

IMAGE = MANIFEST.image("core-full").data[: 100 * 1024]
#: A cut waits for its event and the machine has gone to sleep over it; its peer waits as long.
WAIT_SECONDS = 0.002


@pytest.fixture(params=["one processor", "all processors"])
def processors(request):
    """Both ends on one processor show what the code costs; on all, waking a sleeping one is measured too."""
    allowed = os.sched_getaffinity(0)
    if request.param == "one processor":
        os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def twin(tmp_path, processors):
    """A blank Core in a process of its own, without modelled delays."""
    command = [sys.executable, "-m", "rig", "twin", "spark-core", "--state", str(tmp_path), "--time-scale", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())["usbip"]["port"]
        process.terminate()


@pytest.fixture
def host(twin):
    device = usb.core.find(backend=UsbipBackend("127.0.0.1", twin))
    with DfuHost(device, sleep=lambda _seconds: None) as host:
        yield host


@pytest.mark.benchmark(group="round trip between two processes")
def test_getstatus_over_usbip(benchmark, twin):
    link = UsbipLink("127.0.0.1", twin, "1-1")
    benchmark(link.control, Setup(0xA1, 3, 0, 0, 6))
    link.close()


@pytest.mark.benchmark(group="round trip between two processes")
def test_peer_bare_echo_of_48_bytes(benchmark, processors):
    """What the machine's sockets take: no USB/IP can be faster."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        if (child := os.fork()) == 0:
            peer, _ = server.accept()
            while data := peer.recv(4096):
                peer.sendall(data)
            os._exit(0)
        with socket.create_connection(server.getsockname()) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def echo():
                sock.sendall(bytes(48))
                sock.recv(4096)

            benchmark(echo)
        os.waitpid(child, 0)


@pytest.mark.benchmark(group="100 KiB over DFU")
def test_dfu_erase_and_write_per_page(benchmark, host):
    benchmark.extra_info["bytes"] = len(IMAGE)
    benchmark.pedantic(host.write, (layout.APP_ADDRESS, IMAGE, EraseOrder.INTERLEAVED), rounds=5)


@pytest.mark.benchmark(group="100 KiB over DFU")
def test_dfu_read(benchmark, host):
    benchmark.pedantic(host.read, (layout.APP_ADDRESS, len(IMAGE)), rounds=5)


@pytest.fixture
def modbus_port(tmp_path, processors):
    """A relay and the board it feeds, each in a process of its own."""
    twin = [sys.executable, "-m", "rig", "twin", "spark-core", "--state", str(tmp_path), "--time-scale", "0"]
    with subprocess.Popen(twin, stdout=subprocess.PIPE, text=True) as board:
        control = json.loads(board.stdout.readline())["control"]["address"]
        relay = [sys.executable, "-m", "rig", "twin", "relay", "--wire", f"power@{control}"]
        with subprocess.Popen(relay, stdout=subprocess.PIPE, text=True) as process:
            yield json.loads(process.stdout.readline())["modbus"]["port"]
            process.terminate()
        board.terminate()


@pytest.fixture
def labgrid_driver(modbus_port):
    """Stock labgrid's driver of the same coil."""
    from labgrid import Target
    from labgrid.driver import ModbusCoilDriver
    from labgrid.resource import ModbusTCPCoil

    target = Target("bench")
    ModbusTCPCoil(target, None, host=f"127.0.0.1:{modbus_port}", coil=0)
    driver = ModbusCoilDriver(target, None)
    target.activate(driver)
    return driver


@pytest.mark.benchmark(group="relay command")
def test_cut_contact(benchmark, modbus_port):
    contact = ModbusContact("127.0.0.1", modbus_port, 0, inverted=False, board="bench")
    contact.connect()
    benchmark(contact.switch, False)


@pytest.mark.benchmark(group="relay command")
def test_peer_labgrid_modbus_driver(benchmark, labgrid_driver):
    benchmark(labgrid_driver.set, False)


def test_cut_from_its_trigger_to_the_relays_answer(modbus_port, labgrid_driver):
    """What a cut writes into the ledger, in turn with stock labgrid's command: the medians are told (`pytest -s`).

    Both come after a wait, as a cut does: a machine that has gone to sleep over it wakes up slowly.
    """
    event = Progress("program", layout.APP_ADDRESS, 1, 1)
    ours, theirs = [], []
    for _ in range(300):
        with Cut(ModbusContact("127.0.0.1", modbus_port, 0, inverted=False, board="bench"), Aim("program", 0)) as cut:
            time.sleep(WAIT_SECONDS)
            cut.watch(event)
        ours.append(cut.fired.answered_ns - cut.fired.trigger_ns)
        time.sleep(WAIT_SECONDS)
        began = time.monotonic_ns()
        labgrid_driver.set(False)
        theirs.append(time.monotonic_ns() - began)
    cut, peer = statistics.median(ours) / 1e3, statistics.median(theirs) / 1e3
    print(f"\ntrigger to answer {cut:.0f} us, labgrid's command {peer:.0f} us: {cut / peer:.2f}")
    assert min(ours) > 0


@pytest.mark.benchmark(group="starts of the model in memory")
def test_plain_start(benchmark):
    memory = shipped_memory()

    def start():
        core = core_in_memory(memory)
        core.power_on(0)
        settle(core)

    benchmark(start)


@pytest.mark.benchmark(group="starts of the model in memory")
def test_start_that_copies_an_update(benchmark):
    pages = shipped_memory()
    flags = bytearray(pages.internal.dump())
    flags[layout.FLAGS_ADDRESS - layout.INTERNAL_BASE + 4 :][:2] = b"\x05\x00"
    at = layout.FLAGS_ADDRESS - layout.INTERNAL_BASE + 4
    flags[at : at + 2] = b"\x05\x00"
    pages.internal.load(bytes(flags))
    internal, external = list(pages.internal.pages), list(pages.external.pages)

    def start():
        pages.internal.pages[:], pages.external.pages[:] = internal, external
        core = core_in_memory(pages)
        core.power_on(0)
        settle(core)

    benchmark(start)


@pytest.mark.benchmark(group="rack start-up")
@pytest.mark.parametrize("boards", [1, 2, 4, 8])
def test_rack_start_up(benchmark, boards):
    def start():
        with VirtualRack(RackPlan([CoreSlot()] * boards)):
            pass

    benchmark.pedantic(start, rounds=2)
