"""Cuts in every phase of an update over the air, aimed by the cloud's own events (reference §3.4, §3.5)."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.campaign.ota_trial import CloudUpdate
from rig.power.trigger import Aim

#: Milliseconds after the cloud's event that fall into the erase of the flags page, 30 ms long.
IN_THE_WINDOW = 12


@on_generations("abc", always="b", timing="real", wifi="joined")
def test_a_cut_at_hello_strands_a_core_that_only_came_online(bench, cut, image, known_defect, generation):
    verdict = cut(CloudUpdate(image("new"), Aim("hello", delay_ms=IN_THE_WINDOW)), lands="hello")
    if generation == "c":
        assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
        return
    assert verdict.outcome.stranded
    assert verdict.area[: len(bench.golden)] == bench.golden.data
    known_defect("hello-flags-window-strands")


@on_generations("abc", always="", timing="real", wifi="joined")
@pytest.mark.parametrize(("phase", "lands"), [("begin", "begin"), ("done", "done")])
def test_a_cut_while_an_update_begins_or_ends_strands_too(bench, cut, image, known_defect, phase, lands, generation):
    verdict = cut(CloudUpdate(image("new"), Aim(phase, delay_ms=IN_THE_WINDOW)), lands=lands)
    if generation == "c":
        assert (verdict.outcome.name, verdict.outcome.rung) == ("old", "self")
        return
    assert verdict.outcome.stranded
    known_defect(f"{phase}-flags-window-strands")


@on_generations("abc", always="b", wifi="joined")
def test_a_cut_in_the_download_changes_nothing(cut, image, generation):
    verdict = cut(CloudUpdate(image("full"), Aim("download", 0.5)), lands="download")
    assert (verdict.outcome.name, verdict.outcome.by_itself) == ("old", True)


@on_generations("ab", always="", timing="real", wifi="joined")
def test_a_cut_while_the_slot_is_erased_changes_nothing(cut, image, generation):
    verdict = cut(CloudUpdate(image("new"), Aim("begin", delay_ms=300)), lands="download-erase")
    assert (verdict.outcome.name, verdict.outcome.by_itself) == ("old", True)


#: What a cut in the bootloader's copy ends in, by generation.
COPY = {
    "backup": (0.5, {"a": "new", "b": "new", "c": "new"}),
    "mark": (0.5, {"a": "stranded", "b": "stranded", "c": "old"}),
    "erase": (0.5, {"a": "old", "b": "old", "c": "old"}),
    "program": (0.5, {"a": "old", "b": "old", "c": "old"}),
    "commit": (0.5, {"a": "stranded", "b": "stranded", "c": "new"}),
}


@on_generations("abc", always="", timing="real", wifi="joined")
@pytest.mark.parametrize("phase", COPY)
def test_a_cut_in_the_copy_that_follows(bench, cut, image, phase, generation):
    share, becomes = COPY[phase]
    verdict = cut(CloudUpdate.cut_in_copy(phase, share, image("full"), bench.board), lands=phase)
    assert verdict.outcome.name == becomes[generation]
