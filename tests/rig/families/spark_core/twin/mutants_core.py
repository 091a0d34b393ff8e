"""Planted faults of the model of a Core: its flash, its supply, its watchdog."""

from __future__ import annotations

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin import core, dfu
from rig.families.spark_core.twin.app import application
from rig.twin import flash
from rig.twin.steps import Work
from tests.rig.families.spark_core.twin import checks_core as check

REAL_POWER_ON = core.Core.power_on


def _save_in_one_go(board, flags):
    """A flags page without a window: erased and written at once."""
    memory = board.memory.internal
    for run in (memory.erasing(layout.FLAGS_ADDRESS), memory.programming(layout.FLAGS_ADDRESS, flags.pack())):
        memory.perform(run, 0, run.count)
    yield Work(memory.programming(layout.FLAGS_ADDRESS + 16, b"\xff\xff"))


def _never_bites(self, seconds):
    return None


def _keep_registers(self, now, *, causes=frozenset({"power-on", "pin"})):
    kept = dict(self.dr)
    REAL_POWER_ON(self, now, causes=causes)
    self.dr.update(kept)


MUTANTS = {
    "twin: external flash takes any value": (
        lambda m: m.setattr(flash, "_and", lambda old, new: new),
        check.programming_only_clears_bits,
    ),
    "twin: internal flash programs over old data": (
        lambda m: m.setattr(flash.Nor, "_program_strictly", lambda self, old, data: data),
        check.internal_flash_refuses_what_is_not_blank,
    ),
    "twin: flags are saved without a window": (
        lambda m: m.setattr(dfu, "save", _save_in_one_go),
        check.a_cut_after_the_flags_were_erased_strands,
    ),
    "twin: backup registers survive": (
        lambda m: m.setattr(core.Core, "power_on", _keep_registers),
        check.registers_do_not_survive_a_power_cut,
    ),
    "twin: USB outlives the supply": (
        lambda m: m.setattr(core.Core, "detach", lambda self: None),
        check.a_board_without_power_is_gone_from_usb,
    ),
    "twin: the watchdog never bites": (
        lambda m: m.setattr(core.Core, "feed_watchdog", _never_bites),
        check.a_crash_is_noticed_by_the_watchdog,
    ),
    "twin: every image runs": (
        lambda m: m.setattr(
            core, "application", lambda board, _known: application.application(board, Identity("x", "ok"))
        ),
        check.a_crash_is_noticed_by_the_watchdog,
    ),
}
