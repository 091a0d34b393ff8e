"""A factory reset by the MODE button, the image it brings back, and cuts in each of its phases (reference §3.4)."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.campaign.trial import FactoryImageWrite, FactoryReset
from rig.drivers.dfu_host import EraseOrder
from rig.formats import spark_flash as layout
from rig.power.trigger import Aim


@on_generations(("a2013", *"abc"), always="b")
def test_holding_mode_for_ten_seconds_brings_the_factory_image_back(bench, image, generation):
    bench.board.factory_reset()
    assert bench.board.is_alive(bench.board.timing.factory_reset)
    assert bench.board.read_application(len(image("factory"))) == image("factory").data


@on_generations("abc", always="b")
def test_a_corrupted_factory_image_is_installed_all_the_same(bench, image, known_defect, generation):
    damaged = bytearray(image("factory").data)
    damaged[1000:2000] = bytes(1000)
    with bench.board.dfu() as host:
        host.write(layout.FACTORY_ADDRESS, bytes(damaged))
    bench.board.factory_reset()
    alive = bench.board.is_alive(bench.board.timing.factory_reset + bench.board.timing.self_healing)
    assert alive == (generation != "a"), "a watchdog brings the backup back; without one it hangs"
    left = bytes(damaged) if generation == "a" else bench.roles["previous"].data
    assert bench.board.read_application(len(left)) == left
    known_defect("factory-image-is-not-checked")


@on_generations("abc", always="")
@pytest.mark.parametrize("phase", ["erase", "program"])
@pytest.mark.parametrize("order", EraseOrder, ids=lambda order: order.value)
def test_a_cut_while_the_factory_image_is_written_leaves_the_application_alone(cut, image, phase, order, generation):
    aim = Aim(phase, 0.5 if phase == "program" or order is EraseOrder.INTERLEAVED else 0.0, delay_ms=1)
    verdict = cut(FactoryImageWrite(image("full"), aim, order), lands=phase)
    assert (verdict.outcome.image, verdict.outcome.rung) == ("old", "self")


@on_generations("c", always="")
def test_a_bad_factory_slot_is_restored_for_ever(bench, image, known_defect, generation):
    with bench.board.dfu() as host:
        host.write(layout.FACTORY_ADDRESS, image("text").data)
        host.write(layout.APP_ADDRESS, image("text").data)
    bench.board.start()
    assert bench.board.observe(bench.board.timing.self_healing) is None, "neither an application nor DFU"
    bench.board.enter_dfu()  # MODE is the only way out
    known_defect("bad-factory-slot-is-restored-for-ever")


@on_generations("bc", always="b")
def test_a_cut_while_the_reset_programs_brings_back_the_backup(bench, cut, image, known_defect, generation):
    verdict = cut(FactoryReset.cut_in("program", 0.5, image("full"), bench.board), lands="program")
    assert (verdict.outcome.name, verdict.outcome.by_itself) == ("previous", True)
    known_defect("factory-reset-cut-in-program-brings-back-previous")


@on_generations(("a2013", "a"), always="")
def test_a_cut_while_the_reset_programs_hangs_without_a_watchdog(bench, cut, image, known_defect, generation):
    verdict = cut(FactoryReset.cut_in("program", 0.5, image("full"), bench.board), lands="program")
    assert (verdict.outcome.name, verdict.outcome.rung) == ("stranded", "reflash")
    known_defect("factory-reset-cut-in-program-hangs")


@on_generations("abc", always="", timing="real")
def test_a_cut_while_the_reset_erases(bench, cut, image, generation):
    verdict = cut(FactoryReset.cut_in("erase", 0.04, image("full"), bench.board), lands="erase")
    assert verdict.outcome.name == ("factory" if generation == "c" else "stranded")


@on_generations("abc", always="", timing="real")
def test_a_cut_while_the_reset_marks_its_end(bench, cut, image, generation):
    verdict = cut(FactoryReset.cut_in("commit", 0.5, image("full"), bench.board), lands="commit")
    assert verdict.area == image("full").data.ljust(layout.APP_SIZE, b"\xff")
    assert verdict.outcome.name == ("factory" if generation == "c" else "stranded")
