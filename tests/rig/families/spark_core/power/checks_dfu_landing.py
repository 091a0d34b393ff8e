"""Checks of where a cut of a DFU update fell, each with a planted fault."""

from __future__ import annotations

from rig.drivers.dfu_host import EraseOrder
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.twin.tears import named_tear
from tests.rig.families.spark_core.power import test_landing
from tests.rig.families.spark_core.twin.models import ROLES, RUNNING_FLAGS


def a_landing_is_where_the_journal_says(tmp_path):
    for order, k in ((EraseOrder.ALL_FIRST, 5), (EraseOrder.ALL_FIRST, 1000), (EraseOrder.INTERLEAVED, 3000)):
        truth, landing = test_landing.cut_at(order, k, named_tear("prefix", 1))
        assert test_landing.agrees(truth, landing), landing


def a_torn_flags_page_is_a_commit(tmp_path):
    area = ROLES["new"].data.ljust(layout.APP_SIZE, b"\xff")
    write = DfuWrite(area, RUNNING_FLAGS, ROLES["new"].data, EraseOrder.ALL_FIRST)
    assert write.locate(area, b"\xff" * 10).phase == "commit"
