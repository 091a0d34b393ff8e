"""Landings told by flash alone, against the journal of the model, which knows where the cut really was."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.twin.tears import ERASE_TEARS, PROGRAM_TEARS, named_tear
from tests.rig.families.spark_core.twin.models import ROLES, RUNNING_FLAGS, core_in_memory

NEW = ROLES["new"]
ORDERS = st.sampled_from(EraseOrder)


def update(core, order, image=NEW) -> None:
    device = UsbInMemory(core)
    with contextlib.suppress(LabFault), DfuHost(device, sleep=device.sleep) as host:
        host.write(layout.APP_ADDRESS, image.data, order)
        host.leave(layout.APP_ADDRESS)
        core.advance(core.time + 1)


def operations(order) -> int:
    core = into_dfu(core_in_memory())
    update(core, order)
    return core.memory.journal.next


TOTAL = {order: operations(order) for order in EraseOrder}


def cut_at(order, k, tear, image=NEW):
    """Cut an update before or in operation `k`; what the journal says it was, and the landing read off flash."""
    core = into_dfu(core_in_memory())
    before, flags = core.memory.app(), core.memory.flags16()[:10]
    core.memory.journal.fuse = (k, tear)
    whole = into_dfu(core_in_memory())
    update(whole, order, image)
    update(core, order, image)
    assert not core.powered
    landing = DfuWrite(before, flags, image.data, order).locate(core.memory.app(), core.memory.flags16()[:10])
    return whole.memory.journal.operation(k), landing


#: Flash does not tell a half-word of the image that is blank from one that is not written: so far may a landing be off.
BLANK_RUN = 4


def agrees(truth, landing) -> bool:
    """Whether a landing is as near to the truth as flash can tell: the page of an erase, the half-word of a program."""
    in_flags = truth.address < layout.APP_ADDRESS
    if landing.phase == "outside":
        return truth.first == 0 or in_flags or truth.address >= layout.APP_ADDRESS + len(NEW) - BLANK_RUN
    if landing.phase.startswith("commit"):
        return in_flags
    if in_flags:
        return False
    near = abs(landing.address - truth.address)
    if landing.known_by == "inferred":
        return near <= layout.INTERNAL_PAGE or truth.kind == "erase"
    if landing.phase == "erase":
        return truth.kind == "erase" and near <= layout.INTERNAL_PAGE
    return near <= layout.INTERNAL_PAGE if truth.kind == "erase" else near <= BLANK_RUN


@settings(max_examples=100, deadline=None)
@given(order=ORDERS, share=st.floats(0, 1, exclude_max=True))
def test_a_cut_before_any_operation_is_located(order, share):
    truth, landing = cut_at(order, int(share * TOTAL[order]), None)
    assert agrees(truth, landing), (truth.kind, hex(truth.address), landing)


@settings(max_examples=150, deadline=None)
@given(order=ORDERS, share=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 1000), data=st.data())
def test_a_cut_in_any_operation_is_located(order, share, seed, data):
    k = int(share * TOTAL[order])
    name = data.draw(st.sampled_from([name for name in PROGRAM_TEARS if name in ERASE_TEARS] + ["random-subset"]))
    truth, landing = cut_at(order, k, named_tear(name, seed))
    assert agrees(truth, landing), (truth.kind, hex(truth.address), landing)


@pytest.mark.parametrize("tear", ERASE_TEARS)
@pytest.mark.parametrize("page", [0, 1, 4, 7, 8])
def test_a_torn_erase_with_all_pages_first_lands_in_its_page(tear, page):
    truth, landing = cut_at(EraseOrder.ALL_FIRST, page, named_tear(tear, 3))
    assert truth.kind == "erase"
    assert agrees(truth, landing), landing
    assert landing.phase == "erase" or landing.known_by == "inferred" or (page, tear) == (0, "none")


FLAGS = {
    "erased": (b"\xff" * 10, "commit"),
    "first half-words written": (RUNNING_FLAGS[:4] + b"\xff" * 6, "commit"),
    "0x5000 written, the rest not": (RUNNING_FLAGS[:6] + b"\xff" * 4, "commit-tail"),
    "zero, as in mid-erase": (bytes(10), "commit"),
    "as before": (RUNNING_FLAGS, "outside"),
}


@pytest.mark.parametrize("case", FLAGS)
def test_the_flags_page_tells_how_far_the_commit_came(case):
    flags, phase = FLAGS[case]
    area = NEW.data.ljust(layout.APP_SIZE, b"\xff")
    assert DfuWrite(area, RUNNING_FLAGS, NEW.data, EraseOrder.ALL_FIRST).locate(area, flags).phase == phase


def test_nothing_begun_is_outside():
    area = ROLES["old"].data.ljust(layout.APP_SIZE, b"\xff")
    write = DfuWrite(area, RUNNING_FLAGS, NEW.data, EraseOrder.ALL_FIRST)
    assert write.locate(area, RUNNING_FLAGS).detail == "before anything was erased"


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 0.99), seed=st.integers(0, 1000))
def test_a_cut_in_a_golden_image_over_itself_is_located(share, seed):
    golden = ROLES["old"]
    core = into_dfu(core_in_memory())
    update(core, EraseOrder.ALL_FIRST, golden)
    k = int(share * (core.memory.journal.next - 20))
    truth, landing = cut_at(EraseOrder.ALL_FIRST, k, named_tear("prefix", seed), golden)
    assert landing.phase == "outside" or agrees(truth, landing), (truth.kind, hex(truth.address), landing)
