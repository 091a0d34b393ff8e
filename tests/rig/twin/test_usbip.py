"""The USB/IP server and our client, over real sockets: imports, unlinks, plugs that are pulled, and bad guests."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import time

import pytest
import usb.core
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.clock import Clock, wait_for
from rig.drivers.dfu_devices import find_dfu
from rig.drivers.usbip_backend import UsbipBackend
from rig.drivers.usbip_link import UsbipLink, list_devices
from rig.errors import LabFault
from rig.formats import usbip
from rig.formats.usb import Setup
from tests.rig.families.spark_core.twin.models import served_core

GETSTATUS = Setup(0xA1, 3, 0, 0, 6)


def link(core) -> UsbipLink:
    return UsbipLink(core.host, core.usbip_port, "1-1")


def attached(core):
    """The same core, once something hangs on its port."""
    wait_for(
        lambda: list_devices(core.host, core.usbip_port) or None,
        seconds=10,
        reason="USB to attach",
        clock=Clock(),
        board="core",
    )
    return core


def test_the_device_list_tells_vendor_product_and_its_one_interface(blank):
    (device,) = list_devices(blank.host, blank.usbip_port)
    assert (device.busid, device.vendor, device.product, device.release) == ("1-1", 0x1D50, 0x607F, 0x0200)


def test_a_second_importer_is_told_that_the_device_is_busy(blank):
    first = link(blank)
    with pytest.raises(OSError, match="busy") as caught:
        link(blank)
    assert caught.value.errno == errno.EBUSY
    assert first.control(GETSTATUS)[4] == 10
    first.close()
    link(blank).close()


def test_an_importer_that_dies_leaves_the_device_free(blank):
    dying = link(blank)
    dying._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    dying._sock.close()
    again = link(blank)
    assert again.control(GETSTATUS)[4] == 10
    again.close()


def test_an_unknown_bus_id_is_no_such_device(blank):
    with pytest.raises(OSError, match="No such device"):
        UsbipLink(blank.host, blank.usbip_port, "9-9")


def test_power_off_closes_the_import_at_once_and_empties_the_list(blank):
    held = link(blank)
    blank.power(False)
    with pytest.raises(OSError, match="No such device"):
        held.control(GETSTATUS)
    assert list_devices(blank.host, blank.usbip_port) == []
    blank.power(True)
    assert len(list_devices(blank.host, blank.usbip_port)) == 1


def test_a_stall_is_errno_32_and_the_device_goes_on(blank):
    held = link(blank)
    with pytest.raises(OSError, match="Broken pipe"):
        held.control(Setup(0xC0, 1, 0, 0, 4))
    assert held.control(GETSTATUS)[4] == 10


def test_a_request_to_a_device_at_work_waits_and_can_be_taken_back(tmp_path):
    state = tmp_path / "slow"
    state.mkdir()
    (state / "internal.bin").write_bytes(b"\xff" * 131_072)
    (state / "external.bin").write_bytes(b"\xff" * 2_097_152)
    with served_core(state, time_scale=20) as slow:
        held = link(attached(slow))
        held.control(Setup(0x21, 4, 0, 0, 0))
        held.control(Setup(0x21, 1, 0, 0, 5), bytes.fromhex("4100500008"))
        assert held.control(GETSTATUS)[4] == 4
        with pytest.raises(OSError, match="timed out"):
            held.control(GETSTATUS, seconds=0.05)
        assert held.control(Setup(0xA1, 5, 0, 0, 1), seconds=5) == b"\x03"


def test_the_kernels_unlink_of_a_parked_transfer_is_answered_and_its_victim_never_is(tmp_path):
    with served_core(tmp_path / "running") as core:
        held = link(attached(core))
        held._sock.sendall(usbip.Submit(70, 0x10002, True, 1, 64, bytes(8)).pack())
        held._sock.sendall(usbip.Unlink(71, 0x10002, 70).pack())
        held._sock.sendall(usbip.Unlink(72, 0x10002, 70).pack())
        replies = [usbip.unpack_reply(held._reader.take(48, time.monotonic() + 5)) for _ in range(2)]
        assert [(reply.seqnum, reply.status) for reply in replies] == [(71, -104), (72, 0)]


def test_pyusb_sees_strings_alternate_settings_and_stalls(backend):
    device = usb.core.find(backend=backend, idVendor=0x1D50)
    assert (device.manufacturer.strip(), device.serial_number) == ("Spark Devices", "8D81306E5055")
    assert [interface.bAlternateSetting for interface in device[0]] == [0, 1]
    with pytest.raises(usb.core.USBError) as caught:
        device.ctrl_transfer(0xC0, 1, 0, 0, 4)
    assert caught.value.errno == errno.EPIPE


def test_a_board_in_dfu_is_found_and_one_that_runs_is_not(blank, backend, tmp_path):
    (found,) = find_dfu(backend)
    assert (found.serial, found.fault) == ("8D81306E5055", None)
    blank.power(False)
    assert find_dfu(backend) == []
    with served_core(tmp_path / "running") as core:
        assert find_dfu(UsbipBackend(attached(core).host, core.usbip_port)) == []


def test_a_server_that_is_not_there_is_a_lab_fault(blank):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(LabFault, match="list: USB: USB/IP server"):
        find_dfu(UsbipBackend("127.0.0.1", port))


BAD = {
    "no version": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown operation": struct.pack(">HHI", 0x0111, 0x8009, 0),
    "half an import": usbip.op(usbip.REQ_IMPORT) + b"1-1",
    "a command before an import": usbip.Submit(1, 0, True, 0, 6, GETSTATUS.pack()).pack(),
}
BAD_COMMANDS = {
    "unknown command": struct.pack(">I44x", 9),
    "a transfer of 4 GiB": usbip.Submit(1, 0, False, 0, 0xFFFF_FFFF, bytes(8)).pack(),
    "endpoint 200": usbip.Submit(1, 0, True, 200, 6, bytes(8)).pack(),
    "isochronous packets": struct.pack(">IIIIIIIIII8s", 1, 1, 0, 1, 1, 0, 64, 0, 32, 1, bytes(8)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_operations_end_their_own_connection_only(blank, case):
    with socket.create_connection((blank.host, blank.usbip_port), timeout=2) as guest:
        with contextlib.suppress(OSError):  # it may have hung up by now
            guest.sendall(BAD[case])
            guest.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert guest.recv(100) == b""
    assert len(list_devices(blank.host, blank.usbip_port)) == 1


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_bad_commands_end_the_import_and_the_device_is_free_again(blank, case):
    held = link(blank)
    held._sock.sendall(BAD_COMMANDS[case])
    with pytest.raises(OSError, match="No such device"):
        held.control(GETSTATUS)
    held.close()
    link(blank).close()


def test_a_flood_of_transfers_that_are_never_answered_ends_the_import(served):
    held = link(attached(served))
    for number in range(1, 300):
        with contextlib.suppress(OSError):
            held._sock.sendall(usbip.Submit(number, 0, True, 1, 64, bytes(8)).pack())
    with pytest.raises(OSError, match=r"Connection reset|Broken pipe|No such device"):
        held.control(GETSTATUS)
    link(served).close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(min_size=1, max_size=400), imported=st.booleans())
def test_no_garbage_takes_the_server_down(blank, garbage, imported):
    with socket.create_connection((blank.host, blank.usbip_port), timeout=2) as guest:
        if imported:
            guest.sendall(usbip.op(usbip.REQ_IMPORT) + b"1-1".ljust(32, b"\0"))
        guest.sendall(garbage)
    assert len(list_devices(blank.host, blank.usbip_port)) == 1


SUBMITS = st.builds(
    usbip.Submit,
    seqnum=st.integers(0, 2**32 - 1),
    devid=st.integers(0, 2**32 - 1),
    to_host=st.booleans(),
    ep=st.integers(0, 15),
    length=st.integers(0, usbip.MAX_TRANSFER),
    setup=st.binary(min_size=8, max_size=8),
    flags=st.integers(0, 2**32 - 1),
    interval=st.integers(0, 2**32 - 1),
)


@given(SUBMITS)
def test_a_command_survives_the_wire(command):
    assert usbip.unpack_command(command.pack()) == command
