"""Planted faults of whose fault is what, and what a run comes to."""

from __future__ import annotations

from rig.evidence import results
from rig.suites import faults
from tests.rig.suites import checks_verdicts as check

MUTANTS = {
    "verdict: every fault is the device's": (
        lambda m: m.setattr(faults, "_whose_fault", lambda _error: "device fault"),
        check.only_assertions_and_device_faults_are_the_devices,
    ),
    "verdict: all is well": (
        lambda m: m.setattr(results, "judge", lambda _results: results.RunVerdict("passed", 0)),
        check.a_device_fault_is_never_a_pass,
    ),
    "verdict: a device fault hides misuse": (
        lambda m: m.setattr(results, "MISUSE", "misused"),
        check.misuse_is_hidden_by_no_other_fault,
    ),
}
