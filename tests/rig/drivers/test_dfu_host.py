"""The DfuSe host against the model: orders, poll times, verification, refusals, and what a dying device looks like."""

from __future__ import annotations

import pytest

from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.boards.writable import refuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.firmware.manifest import Image
from rig.formats import dfuse
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, settle

NEW = ROLES["new"]
PAGES = -(-len(NEW) // layout.INTERNAL_PAGE)


@pytest.fixture
def core():
    return into_dfu(core_in_memory())


@pytest.fixture
def host(core):
    device = UsbInMemory(core)
    seen = []
    with DfuHost(device, sleep=device.sleep, watch=seen.append) as host:
        host.seen = seen
        yield host


@pytest.mark.parametrize("order", EraseOrder, ids=lambda order: order.value)
@pytest.mark.parametrize("address", [layout.APP_ADDRESS, layout.OTA_ADDRESS, 0x0801_0400], ids=hex)
def test_what_was_written_reads_back(host, order, address):
    host.write(address, NEW.data, order)
    assert host.read(address, len(NEW)) == NEW.data


def test_all_first_erases_every_page_before_the_first_block(host):
    host.write(layout.APP_ADDRESS, NEW.data, EraseOrder.ALL_FIRST)
    phases = [progress.phase for progress in host.seen]
    assert phases == ["erase"] * PAGES + ["program"] * PAGES


def test_interleaved_erases_each_page_right_before_its_block(host):
    host.write(layout.APP_ADDRESS, NEW.data, EraseOrder.INTERLEAVED)
    assert [progress.phase for progress in host.seen] == ["erase", "program"] * PAGES
    assert [p.address for p in host.seen[::2]] == [p.address for p in host.seen[1::2]]


def test_poll_times_are_waited_for(host):
    host.device.slept.clear()
    host.erase(layout.APP_ADDRESS)
    assert host.device.slept == [0.05]
    host.erase(layout.OTA_ADDRESS)
    host.erase(layout.OTA_ADDRESS)
    assert host.device.slept == [0.05, 0.05, 0.02]


def test_leave_makes_the_new_image_run(core, host):
    host.write(layout.APP_ADDRESS, NEW.data)
    host.leave(layout.APP_ADDRESS)
    settle(core)
    assert core.running == "core-new"


def test_a_device_that_loses_power_is_a_lab_fault_that_names_the_phase(core, host):
    core.power_off(core.time)
    with pytest.raises(LabFault, match="erase: USB: gone"):
        host.erase(layout.APP_ADDRESS)


def test_a_stalled_request_is_the_devices_fault(core, host):
    host._out(dfuse.DNLOAD, 0, dfuse.erase_command(layout.APP_ADDRESS))
    with pytest.raises(DeviceFault, match="erase: request stalled"):
        host.erase(layout.APP_ADDRESS)


REFUSED = {
    "too long": (bytes.fromhex("00500020") + bytes(layout.APP_SIZE), layout.APP_ADDRESS, "110,592"),
    "no stack pointer": (b"README" * 100, layout.APP_ADDRESS, "stack pointer"),
    "the bootloader": (NEW.data, layout.INTERNAL_BASE, "writable segment"),
    "RAM": (NEW.data, 0x2000_0000, "writable segment"),
    "the end of the flash": (NEW.data, 0x0801_FC00, "writable segment"),
    "nothing at all": (b"", layout.APP_ADDRESS, "stack pointer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(host, case):
    data, address, reason = REFUSED[case]
    with pytest.raises(Misuse, match=reason):
        refuse(Image("it", "spark-core", "1", data, "ok"), address, host)


GOOD_LAYOUTS = {
    "@Internal Flash  /0x08000000/20*001Ka,108*001Kg": [
        (0x0800_0000, 0x0800_5000, 1024, False),
        (0x0800_5000, 0x0802_0000, 1024, True),
    ],
    "@SPI Flash : SST25x/0x00000000/512*04Kg\0\0": [(0, 0x20_0000, 4096, True)],
    "@Two /0x00/02*016 g/0x1000/1*2Mg": [(0, 32, 16, True), (0x1000, 0x20_1000, 2 << 20, True)],
    "@Option Bytes  /0x1FFFC000/01*016e,01*8 a\ucc10\u01a8": [
        (0x1FFF_C000, 0x1FFF_C010, 16, True),
        (0x1FFF_C010, 0x1FFF_C018, 8, False),
    ],
}


@pytest.mark.parametrize("text", GOOD_LAYOUTS)
def test_a_memory_layout_is_read_off_the_name(text):
    segments = [(s.start, s.end, s.page, s.writable) for s in dfuse.parse_layout(text)]
    assert segments == GOOD_LAYOUTS[text]


@pytest.mark.parametrize(
    "text", ["", "CORE DFU", "@x/0x0", "@x/zz/1*1Kg", "@x/0x0/1*1Xg", "@x/0x0/1*1K", "@x/0x0/1*1Kg,"]
)
def test_a_name_that_is_no_layout_is_named_in_the_error(text):
    with pytest.raises(Misuse, match="DfuSe memory layout"):
        dfuse.parse_layout(text)
