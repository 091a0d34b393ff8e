"""Cuts in every phase of a DFU update, on every generation, and what the Core became (reference/spark-core.md §3.4).

Outcomes that strand a board or bring back the wrong image are known defects by name: a test fails when one moves.
"""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.campaign.trial import DfuTrial
from rig.drivers.dfu_host import EraseOrder
from rig.power.trigger import Aim

STRANDED = ("stranded", "dfu-cut-in-erase-strands")
HANGS = ("stranded", "dfu-cut-in-program-hangs")
PREVIOUS = ("previous", "dfu-cut-in-program-brings-back-previous")
FACTORY = ("factory", "dfu-cut-in-erase-brings-back-factory")

#: What a cut ends in by generation: the outcome, and the defect that is.
ROWS = {
    "while erasing, all pages first": (
        Aim("erase", 0.5, 1), EraseOrder.ALL_FIRST, {"a2013": STRANDED, "a": STRANDED, "b": STRANDED, "c": FACTORY},
    ),
    "while programming, all pages first": (
        Aim("program", 0.5, 1), EraseOrder.ALL_FIRST, {"a2013": HANGS, "a": HANGS, "b": PREVIOUS, "c": PREVIOUS},
    ),
    "while programming, page by page": (
        Aim("program", 0.5, 1), EraseOrder.INTERLEAVED, {"a2013": HANGS, "a": HANGS, "b": PREVIOUS, "c": PREVIOUS},
    ),
}  # fmt: skip


@on_generations(("a2013", *"abc"), always="b")
@pytest.mark.parametrize("name", ROWS)
def test_a_cut_in_the_application_area(cut, image, known_defect, name, generation):
    aim, order, becomes = ROWS[name]
    outcome, defect = becomes[generation]
    verdict = cut(DfuTrial(image("new"), aim, order), lands=aim.phase)
    assert verdict.outcome.name == outcome
    assert verdict.outcome.by_itself or verdict.outcome.rung == "reflash"
    known_defect(defect)


@on_generations("ab", always="b", timing="real")
def test_a_cut_while_the_flags_page_is_rewritten_strands_a_core_whose_application_is_intact(
    cut, image, known_defect, generation
):
    verdict = cut(DfuTrial(image("new"), Aim("commit", delay_ms=15)), lands="commit")
    assert verdict.area[: len(image("new"))] == image("new").data
    assert verdict.outcome.stranded
    assert verdict.outcome.seen.startswith("self: 1d50:607f; power-cycle: 1d50:607f; reset: 1d50:607f; reflash: ")
    known_defect("flags-window-strands")


@on_generations("c", always="", timing="real")
def test_a_cut_while_generation_c_rewrites_the_flags_page_is_no_loss(cut, image, generation):
    verdict = cut(DfuTrial(image("new"), Aim("commit", delay_ms=515)), lands="commit")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("new", "self")
