"""Every generation of a Core's bootloader there is a choice of: known everywhere by the same name, and alive."""

from __future__ import annotations

import pytest

from rig.families.spark_core.cli.twin import Generation
from rig.families.spark_core.formats.flash import GENERATIONS
from rig.families.spark_core.twin.bootloader import BOOTLOADERS
from tests.rig.families.spark_core.twin.checks_boot import READY, started, told
from tests.rig.families.spark_core.twin.models import MANIFEST, ROLES


def test_a_generation_is_known_by_the_same_name_everywhere():
    assert sorted(BOOTLOADERS) == sorted(GENERATIONS) == sorted(Generation)
    codes = {name: MANIFEST.bootloader_code(name).ljust(0x4000, b"\xff") for name in GENERATIONS}
    assert all(MANIFEST.bootloader_in(code).generation == name for name, code in codes.items())


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_update_that_waits_is_installed(generation):
    core, outcome = started(generation, flags=READY, ota=ROLES["new"].data)
    assert (outcome, core.running, told(core)) == ("app", "core-new", ["magenta", "reset", "jump:core-new"])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_four_seconds_of_mode_end_in_dfu(generation):
    core, outcome = started(generation, held_ms=4000)
    assert (outcome, core.usb.strings[1][2:18:2]) == ("dfu", MAKERS.get(generation, b"Spark De"))


#: As its DFU calls it: Particle since v0.4.5.
MAKERS = {name: b"Particle" for name in GENERATIONS if name.startswith("c") and name not in ("c2", "c3")}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_eleven_seconds_of_mode_bring_the_factory_image_and_forget_the_networks(generation):
    core, outcome = started(generation, held_ms=11_000)
    assert (outcome, core.running, core.memory.flags16()[2]) == ("app", "core-factory", 1)
    assert told(core)[-3:] == ["white", "reset", "jump:core-factory"]
