"""Planted faults of the ledger's chain."""

from __future__ import annotations

from rig.evidence import segment
from tests.rig.evidence import checks_ledger as check

MUTANTS = {
    "ledger: the chain is not checked": (
        lambda m: m.setattr(segment.Segment, "_check", lambda self, _raw: None),
        check.a_changed_ledger_line_is_noticed,
    ),
}
