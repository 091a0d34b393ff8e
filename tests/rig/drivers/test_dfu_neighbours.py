"""One odd USB neighbour never hides the Core: over USB/IP, and over what stands in for this machine's libusb."""

from __future__ import annotations

import errno

import pytest
import usb.core
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labgrid import Target
from typer.testing import CliRunner

from rig.drivers.dfu_host import DfuHost
from rig.drivers.usbip_backend import UsbipBackend
from rig.errors import LabFault
from rig.families.spark_core.cli import dfu as dfu_command
from rig.families.spark_core.drivers.usb_port import LibusbPortDriver
from rig.families.spark_core.lab.dfu import Where, find_devices, read_memory, the_device
from rig.formats import usb as wire
from tests.rig.twin.usbip_host import CORE_SERIAL, ODD, SERIAL, Neighbour, interface, usbip_host

RULE = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="1d50", ATTRS{idProduct}=="607[df]", MODE="0660"'


def read(found, address=0x0800_5000):
    return read_memory(found, address, 4, lambda _progress: None)


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_neighbour_is_listed_as_it_is_and_the_core_beside_it_is_read(blank, kind):
    make, serial, reason = ODD[kind]
    neighbour = make()
    with usbip_host(blank, neighbour) as port:
        where = Where(f"127.0.0.1:{port}")
        core, other = find_devices(where)
        assert (core.identity, core.serial, core.fault) == ("1d50:607f", CORE_SERIAL, None)
        assert (other.identity, other.serial) == ("0483:df11", serial)
        assert (reason or "None") in str(other.fault)
        assert read(the_device(where)) == read(the_device(Where(where.usbip, CORE_SERIAL))) == b"\xff" * 4
    assert not neighbour.disturbed, "who looks at a device sends it nothing"


DESCRIPTORS = st.one_of(st.none(), st.binary(max_size=12), st.binary(max_size=40).map(lambda b: bytes([len(b), 3]) + b))
SETTINGS = st.lists(st.one_of(st.binary(min_size=4, max_size=9), st.builds(interface, *[st.integers(0, 3)] * 4)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, 4), DESCRIPTORS), SETTINGS)
def test_no_descriptors_hide_the_core(blank, strings, pieces):
    neighbour = Neighbour(strings=strings)
    neighbour.interfaces = pieces
    with usbip_host(blank, neighbour) as port:
        assert the_device(Where(f"127.0.0.1:{port}")).serial == CORE_SERIAL


def test_a_neighbour_is_meant_where_its_serial_number_is_given_or_no_core_is_there(blank):
    with usbip_host(blank, Neighbour()) as port:
        assert the_device(Where(f"127.0.0.1:{port}", SERIAL)).identity == "0483:df11"
        blank.power(False)
        assert the_device(Where(f"127.0.0.1:{port}")).identity == "0483:df11"


def test_without_a_core_the_error_names_who_was_passed_over():
    with usbip_host(None, ODD["plain DFU"][0]()) as port, pytest.raises(LabFault, match="0483:df11: it announces no"):
        the_device(Where(f"127.0.0.1:{port}"))


def test_the_second_interface_is_driven_by_its_number():
    neighbour = Neighbour([interface(0, kind=(0xFF, 0), name=0), interface(1)])
    with usbip_host(None, neighbour) as port, DfuHost(the_device(Where(f"127.0.0.1:{port}")).device) as host:
        host._abort()
    assert {setup.index for setup in neighbour.disturbed} == {1}


def test_the_list_shows_escapes_and_does_not_send_them(blank):
    with usbip_host(blank, ODD["a terminal's escapes"][0]()) as port:
        said = CliRunner().invoke(dfu_command.app, ["list", "--usbip", f"127.0.0.1:{port}"])
    assert (said.exit_code, "\x1b" in said.output) == (0, False)
    assert r"serial \x1b[2J" in said.output


@pytest.mark.parametrize(("raw", "text"), [
    (b"", None), (b"\x02", None), (b"\x04\x01ab", None), (b"\x02\x03", ""), (b"\x06\x03a\0b\0\0", "ab"),
    (b"\x07\x03a\0b\0c", "ab"), (b"\x04\x03\x00\xd8", "\ufffd"), (wire.string_descriptor("ab\0\0"), "ab"),
])  # fmt: skip
def test_a_string_descriptor_is_read_as_far_as_it_goes(raw, text):
    assert wire.parse_string(raw) == text


# -- this machine's USB: the same devices, handed out by a backend in libusb's place -----------------------------------


class Locked(UsbipBackend):
    """What libusb does where a device belongs to the administrator."""

    def __init__(self, port, *denied):
        super().__init__("127.0.0.1", port)
        self.denied = denied

    def open_device(self, dev):
        if dev.exported.busid in self.denied:
            raise usb.core.USBError("Access denied (insufficient permissions)", -3, errno.EACCES)
        return super().open_device(dev)


@pytest.fixture
def local(blank, monkeypatch):
    """Lets bus ids be locked on a machine with a Core and a neighbour."""
    with usbip_host(blank, Neighbour()) as port:

        def lock(*denied):
            monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda: Locked(port, *denied))

        yield lock


def core_port(serial=CORE_SERIAL):
    target = Target("main")
    driver = LibusbPortDriver(target, "usb", serial=serial)
    target.activate(driver)
    return driver


def test_a_neighbour_nobody_may_open_is_listed_with_the_rule_for_it(local):
    local("1-2")
    _, other = find_devices(Where())
    assert "no permission" in other.fault.message
    assert 'ATTRS{idVendor}=="0483", ATTRS{idProduct}=="df11"' in other.fault.hint
    assert read(the_device(Where())) == read(the_device(Where(None, CORE_SERIAL)))
    assert core_port().identity() == "1d50:607f"


@pytest.mark.parametrize("serial", [None, CORE_SERIAL])
def test_a_core_nobody_may_open_is_named_with_the_rule_on_one_line(local, serial):
    local("1-1", "1-2")
    with pytest.raises(LabFault, match="no permission to open USB device 1d50:607f") as caught:
        the_device(Where(None, serial))
    assert RULE in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_place_whose_core_nobody_may_open_is_a_lab_fault_and_no_absent_board(local, monkeypatch):
    monkeypatch.setattr("rig.families.spark_core.drivers.usb_port.UDEV_SECONDS", 0.05)
    local("1-1")
    for look in (core_port().identity, core_port().device):
        with pytest.raises(LabFault, match="main in open: no permission") as caught:
            look()
        assert RULE in caught.value.hint


def test_a_core_of_another_serial_number_is_not_there(local):
    local()
    assert core_port("0123").identity() is None
    with pytest.raises(LabFault, match="no Spark Core with serial 0123"):
        core_port("0123").device()


def test_a_machine_without_libusb_says_so(monkeypatch):
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda: None)
    with pytest.raises(LabFault, match="no libusb on this machine"):
        find_devices(Where())
