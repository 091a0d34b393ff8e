"""Checks of whose fault is what, and what a run comes to, each with a planted fault."""

from __future__ import annotations

from rig.errors import DeviceFault, LabFault, Misuse
from rig.evidence import results
from rig.suites import faults


def only_assertions_and_device_faults_are_the_devices(tmp_path):
    told = [faults._whose_fault(error) for error in (KeyError(), OSError(), LabFault("x"), Misuse("x"))]
    assert told == ["lab fault", "lab fault", "lab fault", "misuse"]
    assert faults._whose_fault(AssertionError()) == faults._whose_fault(DeviceFault("x")) == "device fault"


def a_device_fault_is_never_a_pass(tmp_path):
    assert results.judge([results.TestResult("t", word, 0) for word in ("passed", "device fault")]).status == 1


def misuse_is_hidden_by_no_other_fault(tmp_path):
    seen = [results.TestResult("t", word, 0) for word in ("device fault", "misuse", "lab fault", "passed")]
    assert results.judge(seen).status == 2
