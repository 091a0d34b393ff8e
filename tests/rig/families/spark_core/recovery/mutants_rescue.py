"""Planted faults of the rescue of a Core: what is stranded, and what heals itself."""

from __future__ import annotations

from tests.rig.families.spark_core.recovery import checks_rescue as check

MUTANTS = {
    "ladder: the first sign is the last": (
        lambda m: m.setattr("rig.families.spark_core.recovery.rescue.poll", lambda *_args, **_named: None),
        check.a_board_that_leaves_dfu_by_itself_is_not_stranded,
    ),
    "ladder: a board in DFU counts as healed": (
        lambda m: m.setattr("rig.families.spark_core.recovery.rescue.CoreRescue.alive", ("1d50:607f",)),
        check.a_stranded_board_did_not_heal_itself,
    ),
}
