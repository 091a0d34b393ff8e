"""A factory reset of a Core that is online: by its button, which forgets the network, and from its firmware (§3.3)."""

from __future__ import annotations

import contextlib

import pytest

from rig.errors import DeviceFault, LabFault
from rig.families.spark_core.campaign.firmware_reset import FirmwareFactoryReset
from rig.families.spark_core.drivers.usb_port import LISTENING
from tests.boards.spark_core.generations import on_generations


@on_generations("abc", always="b", wifi="joined")
def test_the_button_forgets_the_network_and_the_console_gives_it_back(bench, online, image, generation):
    board = bench.board
    board.factory_reset()
    assert board.observe(board.timing.factory_reset) == LISTENING, "no network: it listens"
    assert board.go_online()["online"], "its cloud lists it, and not as online"
    assert board.read_application(len(image("factory"))) == image("factory").data


@pytest.fixture
def probed(bench, image):
    """A Core that runs the image with a factory reset of its own, online."""
    board = bench.board
    board.update(image("probe"))
    board.go_online()
    return board


@on_generations("abc", always="", wifi="joined")
def test_a_factory_reset_that_firmware_asks_for_keeps_the_network(bench, probed, image, as_expected, generation):
    probed.online.forget()
    with contextlib.suppress(DeviceFault, LabFault):
        probed.online.call("factoryreset")
    assert probed.go_online()["online"], "its cloud lists it, and not as online"
    became = bench.outcome_unattended(probed.timing.start, old=image("probe"))
    as_expected.of("factory-reset", "asked for by firmware", became, wanted="factory")


@on_generations("bc", always="", timing="real", wifi="joined")
@pytest.mark.parametrize("phase", ["erase", "program"])
def test_a_cut_while_it_is_under_way(bench, cut, image, as_expected, phase, generation):
    trial = FirmwareFactoryReset.cut_in_copy(phase, 0.5, image("full"), image("probe"), bench.board)
    as_expected(cut(trial, lands=phase), wanted="factory", case=f"asked for by firmware, {phase}")
