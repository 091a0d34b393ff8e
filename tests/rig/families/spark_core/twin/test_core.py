"""The Core in real time: what a cut, a watchdog and a reset leave, at any moment."""

from __future__ import annotations

import math

import pytest

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.sweep.start import into_dfu
from tests.rig.families.spark_core.twin.models import ROLES, CoreMemory, core_in_memory, settle, shipped_memory


def names(core):
    return [event.name for event in core.events]


def pending_update() -> CoreMemory:
    memory = shipped_memory()
    external = bytearray(memory.external.dump())
    external[layout.OTA_ADDRESS : layout.OTA_ADDRESS + len(ROLES["new"])] = ROLES["new"].data
    memory.external.load(bytes(external))
    internal = bytearray(memory.internal.dump())
    flags = layout.FLAGS_ADDRESS - layout.INTERNAL_BASE
    internal[flags : flags + 10] = SystemFlags(ota=layout.OTA_READY).pack()
    memory.internal.load(bytes(internal))
    return memory


def test_a_shipped_board_runs_and_listens():
    core = core_in_memory()
    core.power_on(0)
    core.advance(2)
    assert (core.running, core.usb.identity, core.dr[1]) == ("core-old", "1d50:607d", 0xFFFF)


def test_power_off_clears_registers_and_detaches():
    core = core_in_memory()
    core.power_on(0)
    core.advance(2)
    core.power_off(2)
    assert (core.usb, core.running, core.due()) == (None, None, math.inf)
    core.power_on(3)
    assert set(core.dr.values()) == {0}


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.0, 5.0, 8.0])
def test_a_copy_cut_at_any_moment_has_done_what_its_time_allows(seconds):
    core = core_in_memory(pending_update())
    core.power_on(0)
    core.power_off(seconds)
    done = core.memory.journal.next
    full = core_in_memory(pending_update())
    full.power_on(0)
    settle(full)
    assert 0 < done < full.memory.journal.next
    core.power_on(20)
    settle(core)
    assert core.running in ("core-old", "core-new")


def test_an_uncut_copy_takes_as_long_as_the_reference_says():
    core = core_in_memory(pending_update())
    core.power_on(0)
    settle(core)
    copied = next(event.at for event in core.events if event.name == "reset")
    assert 7 < copied < 10


def test_a_crashing_image_is_rolled_back_after_three_watchdog_resets():
    memory = shipped_memory()
    internal = bytearray(memory.internal.dump())
    internal[0x5000:0x5100] = ROLES["new"].data[:256]
    memory.internal.load(bytes(internal))
    core = core_in_memory(memory)
    core.power_on(0)
    settle(core)
    assert names(core).count("watchdog-reset") == 3
    assert core.running == "core-previous"


def test_reset_keeps_registers_and_a_held_reset_keeps_the_board_still():
    core = core_in_memory()
    core.power_on(0)
    core.advance(2)
    core.press_reset(True, 2)
    core.advance(10)
    assert (core.running, core.usb) == (None, None)
    core.press_reset(False, 10)
    core.advance(12)
    assert (core.running, core.dr[1]) == ("core-old", 0xFFFF)


def test_mode_held_for_three_seconds_changes_nothing_in_flash():
    core = core_in_memory()
    before = (core.memory.internal.digest(), core.memory.external.digest())
    into_dfu(core)
    assert core.usb.identity == "1d50:607f"
    assert (core.memory.internal.digest(), core.memory.external.digest()) == before
