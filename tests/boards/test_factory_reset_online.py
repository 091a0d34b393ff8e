"""A factory reset of a Core that is online: by its button, which forgets the network, and from its firmware (§3.3)."""

from __future__ import annotations

import contextlib

import pytest
from generations import on_generations

from rig.campaign.firmware_reset import FirmwareFactoryReset
from rig.drivers.usb_port import LISTENING
from rig.errors import DeviceFault, LabFault


@on_generations("abc", always="b", wifi="joined")
def test_the_button_forgets_the_network_and_the_console_gives_it_back(bench, online, image, generation):
    board = bench.board
    board.factory_reset()
    assert board.observe(board.timing.factory_reset) == LISTENING, "no network: it listens"
    assert board.go_online()["online"]
    assert board.read_application(len(image("factory"))) == image("factory").data


@pytest.fixture
def probed(bench, image):
    """A Core that runs the image with a factory reset of its own, online."""
    board = bench.board
    board.update(image("probe"))
    board.go_online()
    return board


@on_generations("bc", always="", wifi="joined")
def test_a_factory_reset_from_firmware_keeps_the_network(probed, image, generation):
    probed.online.forget()
    with contextlib.suppress(DeviceFault, LabFault):
        probed.online.call("factoryreset")
    assert probed.go_online()["online"]
    assert probed.read_application(len(image("factory"))) == image("factory").data


@on_generations("a", always="", wifi="joined")
def test_generation_a_ignores_a_factory_reset_from_firmware(probed, image, known_defect, generation):
    probed.online.forget()
    with contextlib.suppress(DeviceFault, LabFault):
        probed.online.call("factoryreset")
    assert probed.go_online()["online"]
    assert probed.read_application(len(image("probe"))) == image("probe").data
    known_defect("generation-a-ignores-firmware-factory-reset")


@on_generations("bc", always="", timing="real", wifi="joined")
@pytest.mark.parametrize("phase", ["erase", "program"])
def test_a_cut_while_it_is_under_way_is_healed_by_the_next_start(bench, cut, image, phase, generation):
    trial = FirmwareFactoryReset.cut_in_copy(phase, 0.5, image("full"), image("probe"), bench.board)
    verdict = cut(trial, lands=phase)
    assert (verdict.outcome.name, verdict.outcome.by_itself) == ("factory", True)
