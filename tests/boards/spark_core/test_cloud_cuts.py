"""Cuts in every phase of an update over the air, aimed by the cloud's own events (reference §3.4, §3.5)."""

from __future__ import annotations

import pytest

from rig.families.spark_core.campaign.ota_trial import CloudUpdate
from rig.power.trigger import Aim
from tests.boards.spark_core.generations import on_generations

#: Milliseconds after the cloud's event that fall into the erase of the flags page, 30 ms long.
IN_THE_WINDOW = 12


@on_generations("abc", always="b", timing="real", wifi="joined")
def test_a_cut_at_hello_of_a_core_that_only_came_online(bench, cut, image, as_expected, generation):
    verdict = cut(CloudUpdate(image("new"), Aim("hello", delay_ms=IN_THE_WINDOW)), lands="hello")
    assert verdict.area[: len(bench.golden)] == bench.golden.data
    as_expected(verdict)


@on_generations("abc", always="", timing="real", wifi="joined")
@pytest.mark.parametrize("phase", ["begin", "done"])
def test_a_cut_while_an_update_begins_or_ends(cut, image, as_expected, phase, generation):
    as_expected(cut(CloudUpdate(image("new"), Aim(phase, delay_ms=IN_THE_WINDOW)), lands=phase))


@on_generations("abc", always="b", wifi="joined")
def test_a_cut_in_the_download(cut, image, as_expected, generation):
    as_expected(cut(CloudUpdate(image("full"), Aim("download", 0.5)), lands="download"))


@on_generations("ab", always="", timing="real", wifi="joined")
def test_a_cut_while_the_slot_is_erased(cut, image, as_expected, generation):
    as_expected(cut(CloudUpdate(image("new"), Aim("begin", delay_ms=300)), lands="download-erase"))


@on_generations("abc", always="", timing="real", wifi="joined")
@pytest.mark.parametrize("phase", ["backup", "mark", "erase", "program", "commit"])
def test_a_cut_in_the_copy_that_follows(bench, cut, image, as_expected, phase, generation):
    as_expected(cut(CloudUpdate.cut_in_copy(phase, 0.5, image("full"), bench.board), lands=phase))
