"""The bootloader's own pages: DFU takes any address, and only option bytes stand between a Core and its death."""

from __future__ import annotations

import pytest

from rig.families.spark_core.formats import flash as layout
from rig.recovery.ladder import RescueLadder
from tests.boards.spark_core.generations import on_generations


@on_generations("b", locked="yes")
@pytest.mark.usefixtures("may_destroy")
def test_a_locked_bootloader_survives_a_forced_overwrite(bench, image, generation):
    with bench.board.dfu() as host:
        code = host.read(layout.INTERNAL_BASE, layout.BOOTLOADER_SIZE)
        host.write(layout.INTERNAL_BASE, image("new").data)
        assert host.read(layout.INTERNAL_BASE, layout.BOOTLOADER_SIZE) == code


@on_generations("b", locked="no")
@pytest.mark.usefixtures("may_destroy")
def test_a_forced_overwrite_of_an_unlocked_core(bench, image, as_expected, generation):
    with bench.board.dfu() as host:
        host.write(layout.INTERNAL_BASE, image("new").data)
    bench.board.power_off()
    outcome = RescueLadder(bench.board, bench.roles, bench.golden).climb(lambda text: None)
    if outcome.dead:
        bench.give_up("its bootloader was overwritten")
    as_expected.of("dfu", "a bootloader without a lock is overwritten", outcome.became, wanted="old")
