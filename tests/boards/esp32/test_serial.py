"""The serial path into an ESP32: flash and verify, interrupted and rescued."""

from __future__ import annotations

import pytest

from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.campaign.trial import SerialFlash
from rig.families.esp32.formats.partition_table import TABLE_OFFSET
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.power.trigger import Aim
from tests.boards.long_cases import some_always

SLOT_0 = 0x20000


@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_application_runs_after_it_was_written(bench, image):
    golden = golden_set({**bench.roles, "old": image("new")})
    bench.board.flash(golden)
    bench.board.start()
    bench.board.must.be_alive(bench.board.timing.start)
    assert bench.board.log.version() == image("new").version


@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_what_was_written_reads_back_by_its_digest_and_byte_by_byte(bench, image):
    with bench.board.loader() as rom:
        rom.write(SLOT_0, image("new").data)
        assert rom.read(SLOT_0, len(image("new"))) == image("new").data


#: What is written when the supply goes: the image, where, when, and the phase that lands in.
CUTS = {
    "the application": ("new", SLOT_0, Aim("program", delay_ms=320), "program"),
    "the second stage": ("plain_bootloader", BOOTLOADER_OFFSET, Aim("program", share=0.99), "program"),
    "the partition table": ("other_table", TABLE_OFFSET, Aim("erase", share=0.0, delay_ms=30), "erase"),
}


@pytest.mark.parametrize("case", some_always(CUTS, "the application"))
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="real")
def test_a_cut_while_it_is_flashed(cut, image, as_expected, case):
    role, address, aim, phase = CUTS[case]
    as_expected(cut(SerialFlash(image(role), address, aim), lands=phase))


@pytest.mark.long
@pytest.mark.board("esp32", boot="wired", bridge="board")
def test_a_bridge_that_the_board_feeds_is_gone_without_it_and_flashes_as_well(bench, image):
    board = bench.board
    with board.loader() as rom:
        rom.write(SLOT_0, image("new").data)
    board.power_off()
    assert not board.console.connected, "its bridge is there without power"
    board.enter_readback_mode()
    assert board.read_flash([(SLOT_0, 64)])[SLOT_0] == image("new").data[:64]
