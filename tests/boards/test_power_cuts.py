"""Cuts in every phase of a DFU update of generation B, and what the Core became (reference/spark-core.md §3.4).

Outcomes that strand a board or bring back the wrong image are known defects by name: a test fails when one moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rig.campaign.trial import DfuTrial
from rig.drivers.dfu_host import EraseOrder
from rig.power.trigger import Aim


@dataclass(frozen=True)
class Row:
    aim: Aim
    order: EraseOrder
    becomes: str
    rung: str
    defect: str


ROWS = {
    "while erasing, all pages first": Row(
        Aim("erase", 0.5, 1), EraseOrder.ALL_FIRST, "stranded", "reflash", "dfu-cut-in-erase-strands"
    ),
    "while programming, all pages first": Row(
        Aim("program", 0.5, 1), EraseOrder.ALL_FIRST, "previous", "self", "dfu-cut-in-program-brings-back-previous"
    ),
    "while programming, page by page": Row(
        Aim("program", 0.5, 1), EraseOrder.INTERLEAVED, "previous", "self", "dfu-cut-in-program-brings-back-previous"
    ),
}


@pytest.mark.board("spark-core", generation="b", mode="wired")
@pytest.mark.parametrize("name", ROWS)
def test_a_cut_in_the_application_area(cut, image, known_defect, name):
    row = ROWS[name]
    verdict = cut(DfuTrial(image("new"), row.aim, row.order), lands=row.aim.phase)
    assert (verdict.outcome.name, verdict.outcome.rung) == (row.becomes, row.rung)
    known_defect(row.defect)


@pytest.mark.board("spark-core", generation="b", mode="wired", timing="real")
def test_a_cut_while_the_flags_page_is_rewritten_strands_a_core_whose_application_is_intact(cut, image, known_defect):
    target = image("new")
    verdict = cut(DfuTrial(target, Aim("commit", delay_ms=15)), lands="commit")
    assert verdict.area[: len(target)] == target.data
    assert verdict.outcome.stranded
    assert verdict.outcome.seen == "self: 1d50:607f; power-cycle: 1d50:607f"
    known_defect("flags-window-strands")
