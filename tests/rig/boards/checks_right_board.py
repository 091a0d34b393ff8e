"""Named checks of the board that a place describes, for test_mutants: its bootloader, its revision, its flash."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

from rig.boards.board import tier_of
from rig.drivers.console_link import Rfc2217Link
from rig.errors import Misdescribed, Misuse
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.drivers.loader import SerialAddress
from rig.families.esp32.firmware.bootloader import for_flash
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.drivers import usb_port
from rig.families.spark_core.drivers.usb_port import UsbipPortDriver
from rig.families.spark_core.formats.flash import GENERATIONS
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.formats.usbip import DEVICE_SIZE, ExportedDevice
from tests.rig.evidence.records import a_record, a_test
from tests.rig.families.esp32.lab.checks_rack import board_that_says
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.families.spark_core.twin.models import MANIFEST, core_in_memory, shipped_memory
from tests.rig.firmware.own_firmware import the_rigs
from tests.rig.lab.lab_in_memory import raises


def _asked(generation, tag, *, is_listed):
    """A Core of a generation is talked to in a place with this tag: what is said, or how it is refused."""
    memory = shipped_memory()
    if is_listed:
        code = MANIFEST.bootloader_code(generation).ljust(0x4000, b"\xff")
        memory.internal.load(code + memory.internal.dump()[0x4000:])
    device = UsbInMemory(into_dfu(core_in_memory(memory, generation=generation)))
    usb, clock = SimpleNamespace(device=lambda: device), SimpleNamespace(sleep=device.sleep)
    core = SparkCore("core-01", relay=None, mode=None, usb=usb, clock=clock, tags={"generation": tag})
    said = []
    core.compare_with_manifest(MANIFEST, said.append)
    try:
        with core.dfu():
            return said
    except Misdescribed as error:
        return f"refused: {error}"


def a_bootloader_that_is_listed_is_told_by_its_code(_folder):
    for generation in GENERATIONS:
        assert _asked(generation, generation, is_listed=True) == []
    assert "generation=b is another Core's: this has a " in _asked("a", "b", is_listed=True)
    assert "set-tags generation=a`" in _asked("a", "b", is_listed=True)


def a_later_c_that_nobody_lists_tells_its_own_number(_folder):
    assert "this has c7 (hint: `labgrid-client -p core-01 set-tags generation=c7`" in _asked("c7", "b", is_listed=False)
    assert "this has c " in str(_asked("c", "c7", is_listed=False))
    assert (_asked("c7", "c7", is_listed=False), _asked("c", "c11", is_listed=False)) == ([], [])


def a_maker_that_a_generation_has_not_is_refused(_folder):
    assert "this has one that Spark Devices made" in str(_asked("b", "c7", is_listed=False))


def what_nothing_tells_is_said_and_not_refused(_folder):
    said = str(_asked("a", "b", is_listed=False))
    assert said.startswith("['core-01: nothing tells whether its bootloader is of generation b: ")


def another_revision_than_the_tag_names_is_not_written_to(_folder):
    with served_board(revision=300) as served:
        served.into_download()
        serial, told = SerialAddress("127.0.0.1", served.plain, "raw"), []
        for tag in ("v1.0", "v3.0"):
            board = board_that_says(serial=serial, tags={"revision": tag})
            told.append(raises(Misdescribed, lambda board=board: _use(board.loader())))
            board.hang_up()
        assert told == [True, False]


def a_chip_with_less_flash_than_the_second_stage_is_for_is_not_written_to(_folder):
    roles = the_rigs().roles("esp32")
    golden = golden_set(roles)
    assert raises(Misuse, lambda: golden.refuse_less_flash(2 << 20, board="esp32-01"))
    for has in (None, 4 << 20, 16 << 20):
        assert not raises(Misuse, lambda has=has: golden.refuse_less_flash(has, board="esp32-01"))
    assert for_flash(roles["bootloader"].data, 4 << 20) == golden.bootloader, "what it is for is in its header"


# -- twins -------------------------------------------------------------------------------------------------------------


def _core(tier, *, is_twin):
    usb = SimpleNamespace(serves_twin=is_twin)
    return SparkCore("core-01", relay=None, mode=None, usb=usb, tags={} if tier is None else {"tier": tier})


def a_twin_that_was_seen_is_one_whatever_its_place_says(_folder):
    told = {tier: tier_of(_core(tier, is_twin=True)) for tier in ("hardware", None, "model", "silicon")}
    assert told == {"hardware": "model", None: "model", "model": "model", "silicon": "silicon"}
    assert tier_of(_core("hardware", is_twin=False)) == "hardware"


def a_place_where_a_twin_was_seen_once_is_a_twins(_folder):
    tests = [a_test("a", tier="model"), a_test("b", tier="hardware")]
    assert a_record(*tests, rack="lab.yaml").title.startswith("VIRTUAL run")


DEVICE = ExportedDevice("1-1", 1, 2, 2, 0x1D50, 0x607F, 0x0200, (0, 0, 0), 1, 1, ())


def the_server_of_a_usb_port_says_whether_it_has_a_twin(_folder):
    for is_twin in (True, False):
        device, _ = ExportedDevice.unpack(DEVICE._replace(is_twin=is_twin).pack()[:DEVICE_SIZE])
        assert device.is_twin == is_twin
        port = UsbipPortDriver.__new__(UsbipPortDriver)
        port.service, port._busid, port.serves_twin = SimpleNamespace(address="", port=0), "1-1", False
        with mock.patch.object(usb_port, "list_devices", return_value=[device]):
            assert port._offered() == {"1-1": "1d50:607f"}
        assert port.serves_twin == is_twin


def the_server_of_a_serial_port_signs_as_a_twins(_folder):
    with served_board() as served:
        link = Rfc2217Link("127.0.0.1", served.rfc2217, 115200)
        told = link.serves_twin
        link.close()
    assert told


def _use(conversation):
    with conversation:
        pass
