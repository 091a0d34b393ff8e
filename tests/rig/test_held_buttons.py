"""How long MODE may be held by generation, before holding it means a factory reset (reference §3.1, §3.2)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rig.boards.spark_core import SparkCore
from rig.errors import LabFault

#: Seconds from power-on to letting go, and whether that was still DFU for certain.
HELD = {
    ("a2013", 9.4): True, ("b", 4.0): True, ("b", 9.4): True, ("b", 9.6): False,
    ("c", 4.0): True, ("c", 5.9): True, ("c", 6.1): False,
}  # fmt: skip


@pytest.mark.parametrize(("generation", "seconds"), HELD)
def test_a_late_hand_is_a_lab_fault_before_it_is_a_factory_reset(generation, seconds):
    time = SimpleNamespace(now=0.0)
    clock = SimpleNamespace(now=lambda: time.now, sleep=lambda _asked: setattr(time, "now", time.now + seconds))
    line = SimpleNamespace(on=lambda: None, off=lambda: None, get=lambda: False, set=lambda _pressed: None)
    shown = iter([None, *["1d50:607f"] * 9])
    usb = SimpleNamespace(identity=lambda: next(shown))
    board = SparkCore("core-01", relay=line, mode=line, usb=usb, tags={"generation": generation}, clock=clock)
    if HELD[generation, seconds]:
        board.enter_dfu()
        assert next(shown) == "1d50:607f"
    else:
        with pytest.raises(LabFault, match="may have been a factory reset"):
            board.enter_dfu()
