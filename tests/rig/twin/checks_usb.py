"""Named checks of test_mutants: USB neighbours, leaving DFU, DfuSe containers, a relay's password. As checks.py."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from unittest.mock import patch

import requests
import usb.backend.libusb1

from rig.control.address import TcpAddress
from rig.drivers.dfu_devices import find_dfu
from rig.drivers.dfu_host import DfuHost
from rig.drivers.usbip_backend import UsbipBackend
from rig.errors import LabFault, Misuse, RigError
from rig.families.spark_core.firmware.image import read_core_image
from rig.families.spark_core.lab import dfu as by_hand
from rig.families.spark_core.lab.dfu import Where, Write, the_device, write_memory
from rig.families.spark_core.lab.dfu_files import Piece, load_file
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.firmware.manifest import Image
from rig.formats.dfuse import Segment
from rig.formats.dfuse_file import DfuseFile
from rig.twin.relay import Wire
from tests.rig.drivers.test_dfu_neighbours import Locked
from tests.rig.families.spark_core.boards.test_dfu_leave import Leaving, on_a_bench
from tests.rig.families.spark_core.campaign.checks_bench import raises
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, served_core
from tests.rig.formats.test_dfuse_file import ADDRESS, APP, CORE, FACTORY, KEY, OTHER, container, save
from tests.rig.twin import test_relay_password
from tests.rig.twin.served_relay import relay_servers
from tests.rig.twin.usbip_host import ODD, Neighbour, Plug, interface, usbip_host

NEW = ROLES["new"]


@contextlib.contextmanager
def blank_core(folder):
    state = folder / "blank"
    state.mkdir()
    (state / "internal.bin").write_bytes(b"\xff" * 131_072)
    (state / "external.bin").write_bytes(b"\xff" * 2_097_152)
    with served_core(state) as core:
        yield core


def core_is_meant_beside(kind):
    def check(folder):
        meant = None
        with blank_core(folder) as core, usbip_host(core, ODD[kind][0]()) as port, contextlib.suppress(Exception):
            meant = the_device(Where(f"127.0.0.1:{port}")).identity
        assert meant == "1d50:607f"

    return check


def a_device_nobody_may_open_is_listed_with_its_rule(_folder):
    with (
        usbip_host(None, Neighbour()) as port,
        patch.object(usb.backend.libusb1, "get_backend", lambda: Locked(port, "1-2")),
    ):
        (found,) = find_dfu()
    assert 'SUBSYSTEM=="usb"' in (found.fault.hint or "")


def a_list_disturbs_nobody(_folder):
    neighbour = Neighbour()
    with usbip_host(None, neighbour) as port:
        assert [found.fault for found in find_dfu(UsbipBackend("127.0.0.1", port))] == [None]
    assert neighbour.disturbed == []


def a_neighbour_with_a_foreign_tail_can_be_driven(_folder):
    with usbip_host(None, ODD["characters behind its layout"][0]()) as port:
        (found,) = find_dfu(UsbipBackend("127.0.0.1", port))
    assert found.fault is None


def an_interface_is_driven_by_its_number(_folder):
    neighbour = Neighbour([interface(0, kind=(0xFF, 0), name=0), interface(1)])
    with usbip_host(None, neighbour) as port, DfuHost(the_device(Where(f"127.0.0.1:{port}")).device) as host:
        host._abort()
    assert {setup.index for setup in neighbour.disturbed} == {1}


def a_memory_is_read_by_its_own_setting(_folder):
    device = UsbInMemory(into_dfu(core_in_memory()))
    selected, select = [], device.set_interface_altsetting
    device.set_interface_altsetting = lambda *which: (selected.append(which), select(*which))
    with DfuHost(device, sleep=device.sleep) as host:
        host.read(APP, 4)
        host.read(FACTORY, 4)
    assert selected == [(0, 0), (0, 1)]


def a_board_that_left_without_a_word_was_updated(_folder):
    device = Leaving(into_dfu(core_in_memory()))
    assert not raises(RigError, lambda: on_a_bench(device, fed=True).update(NEW))


def a_board_that_lost_its_supply_while_it_left_was_not_updated(_folder):
    device = Leaving(into_dfu(core_in_memory()))
    assert raises(LabFault, lambda: on_a_bench(device, fed=False).update(NEW))


def a_board_that_died_while_it_left_is_no_success(folder):
    write = Write((Piece(FACTORY, Image("few", "spark-core", "1", b"few", "ok")),), leave=True)
    with (
        blank_core(folder) as core,
        usbip_host(core, plug=Plug(pulled=lambda: core.power(False))) as port,
        patch.object(by_hand, "BACK_SECONDS", 0.3),
    ):
        found = the_device(Where(f"127.0.0.1:{port}"))
        assert raises(LabFault, lambda: write_memory(found, write, lambda _progress: None))


# -- files ------------------------------------------------------------------------------------------------------------

INTERNAL, EXTERNAL = (Segment(APP, 0x0802_0000, 1024, True, True, True), Segment(0, 0x20_0000, 4096, True, True, True))
DEVICE = SimpleNamespace(
    identity="1d50:607f",
    segments=(INTERNAL, EXTERNAL),
    alternates=[SimpleNamespace(number=n, segments=(s,)) for n, s in enumerate((INTERNAL, EXTERNAL))],
)


def a_changed_container_is_refused(_folder):
    packed = container((APP, OTHER))
    assert raises(Misuse, lambda: DfuseFile.parse(packed[:400] + b"x" + packed[401:], "it"))


def an_element_goes_where_it_says(folder):
    (piece,) = load_file(save(folder, container((FACTORY, OTHER), alternate=1)), DEVICE)
    assert piece.address == FACTORY


def an_element_outside_of_its_memory_is_refused(folder):
    for content in (container((0x2000_0000, b"ram")), container((APP, OTHER), alternate=1)):
        assert raises(Misuse, lambda content=content: load_file(save(folder, content), DEVICE))


def elements_that_share_a_page_are_one_write(folder):
    (piece, *more) = load_file(save(folder, container((KEY, b"key"), (ADDRESS, b"address"), alternate=1)), DEVICE)
    assert (piece.image.data[:3], piece.image.data[ADDRESS - KEY :], more) == (b"key", b"address", [])


def several_images_are_no_plain_one(_folder):
    content = container((APP, OTHER), (0x0801_0000, OTHER))
    assert raises(Misuse, lambda: read_core_image(content, "it", force=False))


def a_bootloader_in_a_container_is_no_application(_folder):
    content = container((0x0800_0000, OTHER), suffix=CORE)
    assert raises(Misuse, lambda: read_core_image(content, "it", force=False))


# -- a relay with a password ------------------------------------------------------------------------------------------


def a_guessed_password_does_not_get_in(_folder):
    digest = test_relay_password.guard()
    nonce = test_relay_password.nonce_of(digest.challenge("POST", "/rpc", ""))
    guessed = test_relay_password.answer(nonce, changed={"response": "0" * 64})
    assert digest.challenge("POST", "/rpc", guessed) is not None


def a_recorded_request_does_not_get_in_again(_folder):
    digest = test_relay_password.guard()
    said = test_relay_password.answer(test_relay_password.nonce_of(digest.challenge("POST", "/rpc", "")))
    assert [digest.challenge("POST", "/rpc", said) is None for _ in range(2)] == [True, False]


@contextlib.contextmanager
def relay_with_a_password():
    with relay_servers([Wire("power", TcpAddress("127.0.0.1", 1))], test_relay_password.PASSWORD) as (_, _modbus, http):
        yield SimpleNamespace(http=http, host=http.removeprefix("http://"))


def a_relay_asks_who_does_not_know_its_password(_folder):
    with relay_with_a_password() as relay:
        answer = requests.post(f"{relay.http}/rpc", json=test_relay_password.CALL, timeout=5)
    assert answer.status_code == 401


def the_driver_knows_the_way(folder):
    with relay_with_a_password() as relay, contextlib.suppress(LabFault):
        password = str(test_relay_password.secret(folder))
        assert test_relay_password.driver(relay, password_file=password).get() is True
        return
    raise AssertionError("the relay refused the driver")


def a_password_that_others_can_read_is_refused(folder):
    password = str(test_relay_password.secret(folder, mode=0o644))
    nowhere = SimpleNamespace(host="127.0.0.1:1")
    assert raises(Misuse, lambda: test_relay_password.driver(nowhere, password_file=password))
