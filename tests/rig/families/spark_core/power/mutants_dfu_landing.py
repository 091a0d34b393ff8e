"""Planted faults of where a cut of a DFU update fell."""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.power.landing import Landing
from tests.rig.families.spark_core.power import checks_dfu_landing as check

REAL_LOCATE = DfuWrite.locate


def _hopeful_locate(self, area, flags):
    return Landing("program", layout.APP_ADDRESS + len(self.data) // 2, "read-back", "where it was aimed")


MUTANTS = {
    "landing: taken from the aim": (
        lambda m: m.setattr(DfuWrite, "locate", _hopeful_locate),
        check.a_landing_is_where_the_journal_says,
    ),
    "landing: the flags page is not looked at": (
        lambda m: m.setattr(DfuWrite, "locate", lambda self, area, _flags: REAL_LOCATE(self, area, self.flags_before)),
        check.a_torn_flags_page_is_a_commit,
    ),
}
