"""A factory reset by the MODE button, the image it brings back, and cuts in each of its phases (reference §3.4)."""

from __future__ import annotations

import pytest

from rig.drivers.dfu_host import EraseOrder
from rig.families.spark_core.campaign.dfu_trial import FactoryImageWrite, FactoryReset
from rig.families.spark_core.formats import flash as layout
from rig.power.trigger import Aim
from tests.boards.spark_core.generations import on_generations


@on_generations(("a2013", *"abc"), always="b")
def test_holding_mode_for_ten_seconds_brings_the_factory_image_back(bench, image, generation):
    bench.board.factory_reset()
    bench.board.must.be_alive(bench.board.timing.factory_reset)
    assert bench.board.read_application(len(image("factory"))) == image("factory").data


@on_generations("abc", always="b")
def test_a_factory_reset_with_a_corrupted_factory_image(bench, image, as_expected, generation):
    damaged = bytearray(image("factory").data)
    damaged[1000:2000] = bytes(1000)
    with bench.board.dfu() as host:
        host.write(layout.FACTORY_ADDRESS, bytes(damaged))
    bench.board.factory_reset()
    became = bench.outcome_unattended(bench.board.timing.factory_reset + bench.board.timing.self_healing)
    as_expected.of("factory-reset", "the factory image is corrupted", became, wanted="old")


@on_generations("abc", always="")
@pytest.mark.parametrize("phase", ["erase", "program"])
@pytest.mark.parametrize("order", EraseOrder, ids=lambda order: order.value)
def test_a_cut_while_the_factory_image_is_written_(cut, image, as_expected, phase, order, generation):
    aim = Aim(phase, 0.5 if phase == "program" or order is EraseOrder.INTERLEAVED else 0.0, delay_ms=1)
    as_expected(cut(FactoryImageWrite(image("full"), aim, order), lands=phase), wanted="old")


@on_generations("c", always="")
def test_a_core_with_text_in_both_its_slots(bench, image, as_expected, generation):
    with bench.board.dfu() as host:
        host.write(layout.FACTORY_ADDRESS, image("text").data)
        host.write(layout.APP_ADDRESS, image("text").data)
    bench.board.start()
    became = bench.outcome_unattended(bench.board.timing.self_healing)
    bench.board.enter_dfu()  # MODE is the only way out
    as_expected.of("factory-reset", "text in both slots", became, wanted="factory")


@on_generations(("a2013", *"abc"), always="b")
def test_a_cut_while_the_reset_programs(bench, cut, image, as_expected, generation):
    verdict = cut(FactoryReset.cut_in("program", 0.5, image("full"), bench.board), lands="program")
    as_expected(verdict, wanted="factory")


@on_generations("abc", always="", timing="real")
def test_a_cut_while_the_reset_erases(bench, cut, image, as_expected, generation):
    verdict = cut(FactoryReset.cut_in("erase", 0.04, image("full"), bench.board), lands="erase")
    as_expected(verdict, wanted="factory")


@on_generations("abc", always="", timing="real")
def test_a_cut_while_the_reset_marks_its_end(bench, cut, image, as_expected, generation):
    verdict = cut(FactoryReset.cut_in("commit", 0.5, image("full"), bench.board), lands="commit")
    assert verdict.area == image("full").data.ljust(layout.APP_SIZE, b"\xff")
    as_expected(verdict, wanted="factory")
