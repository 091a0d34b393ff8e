"""Cuts in every phase of a DFU update, on every generation, and what the Core became."""

from __future__ import annotations

import pytest

from rig.drivers.dfu_host import EraseOrder
from rig.families.spark_core.campaign.dfu_trial import DfuTrial
from rig.power.trigger import Aim
from tests.boards.spark_core.generations import on_generations

#: Where a cut is aimed at, and when pages are erased.
ROWS = {
    "while erasing, all pages first": (Aim("erase", 0.5, 1), EraseOrder.ALL_FIRST),
    "while programming, all pages first": (Aim("program", 0.5, 1), EraseOrder.ALL_FIRST),
    "while programming, page by page": (Aim("program", 0.5, 1), EraseOrder.INTERLEAVED),
}
#: Milliseconds after the leave that fall into the erase of the flags page.
INTO_THE_FLAGS = {"a": 15, "b": 15, "c": 515}


@on_generations(("a2013", *"abc"), always="b")
@pytest.mark.parametrize("name", ROWS)
def test_a_cut_in_the_application_area(cut, image, as_expected, name, generation):
    aim, order = ROWS[name]
    as_expected(cut(DfuTrial(image("new"), aim, order), lands=aim.phase))


@on_generations("abc", always="b", timing="real")
def test_a_cut_while_the_flags_page_is_rewritten_and_the_application_is_intact(cut, image, as_expected, generation):
    verdict = cut(DfuTrial(image("new"), Aim("commit", delay_ms=INTO_THE_FLAGS[generation])), lands="commit")
    assert verdict.area[: len(image("new"))] == image("new").data
    as_expected(verdict)
