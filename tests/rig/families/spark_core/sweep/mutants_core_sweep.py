"""Planted faults of a Core's sweeps."""

from __future__ import annotations

from rig.families.spark_core.sweep import deep_update, kept_registers
from rig.families.spark_core.sweep.cloud_in_memory import CloudInMemory
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Eeprom
from rig.sweep import cut_points
from rig.twin.tears import PROGRAM_TEARS
from tests.rig.families.spark_core.sweep import checks_core_sweep as check

_init = CloudInMemory.__init__


def _read_unseen(kept, number):
    return int.from_bytes(kept._memory.registers.pages[number - 1], "little")


def _without_the_last_chunk(self, image, *, fast):
    _init(self, image[:-512], fast=fast)


MUTANTS = {
    "kept registers: what a start reads of them is not noted": (
        lambda m: m.setattr(kept_registers._Kept, "__getitem__", _read_unseen),
        check.what_kept_registers_hold_is_asked,
    ),
    "kept registers: they are lost all the same": (
        lambda m: m.setattr(kept_registers.KeptMemory, "backup_registers", CoreMemory.backup_registers),
        check.a_request_in_kept_registers_outlives_the_flags,
    ),
    "kept registers: half of one is written": (
        lambda m: m.setattr(cut_points, "sensible_tears", lambda kind: PROGRAM_TEARS),
        check.a_register_is_written_whole,
    ),
    "deep update: the EEPROM starts as it was shipped": (
        lambda m: m.setattr(deep_update.json, "loads", lambda _page: deep_update.SHIPPED.as_dict()),
        check.windows_of_the_eeprom_cost_what_is_unfinished_in_them,
    ),
    "deep update: half a patch starts": (
        lambda m: m.setattr(Eeprom, "starts", True),
        check.windows_of_the_eeprom_cost_what_is_unfinished_in_them,
    ),
    "deep update: whatever address it has is its own": (
        lambda m: m.setattr(deep_update, "FILES_LOST", deep_update.PATCHED),
        check.a_radio_that_lost_its_files_is_not_as_it_was,
    ),
    "cloud: the last chunk is not sent": (
        lambda m: m.setattr(CloudInMemory, "__init__", _without_the_last_chunk),
        check.the_image_goes_over_the_air_whole,
    ),
}
