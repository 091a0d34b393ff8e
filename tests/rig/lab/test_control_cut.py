"""A control cut on a machine that is late: what the rig misses by itself says nothing about the board."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rig.errors import LabFault, RigInterference
from rig.lab import control_cut as module
from rig.lab.control_cut import TRIES, control_cut
from rig.power.landing import OUTSIDE, Landing
from tests.rig.families.spark_core.twin.models import MANIFEST

BOARD = SimpleNamespace(name="core-01", kind="spark-core", tags={"relay_ms": "8", "synthetic": "yes"})


def cuts_made(monkeypatch, took, lands_at: int) -> int:
    """How many cuts are made where the n-th takes `took(n)` ms, None if it is spoiled, and number `lands_at` lands."""
    made = []

    def run(_trial, *, lead_ms=0.0):
        made.append(took(len(made)))
        if made[-1] is None:
            raise RigInterference("the rig was late")
        landing = Landing("program" if len(made) == lands_at else OUTSIDE, None, "read-back", "")
        return SimpleNamespace(landing=landing, outcome=SimpleNamespace(dead=False), took_ms=made[-1])

    def bench(_board, roles, *_rest, **_more):
        return SimpleNamespace(board=BOARD, roles=roles, run=run, restore_known_state=lambda: None)

    monkeypatch.setattr(module, "Bench", bench)
    control_cut(BOARD, MANIFEST, lambda _step: None)
    return len(made)


LATE = {"each time by something else": lambda n: 500.0 * (n % 2), "and spoils what it looks at": lambda _n: None}


@pytest.mark.parametrize("how", LATE)
def test_cuts_that_the_rig_was_late_with_are_no_tries(monkeypatch, how):
    last = TRIES + 3
    assert cuts_made(monkeypatch, lambda n: 8.0 if n == last - 1 else LATE[how](n), last) == last


def test_cuts_that_miss_on_time_are(monkeypatch):
    with pytest.raises(LabFault, match=f"{TRIES} control cuts landed in outside"):
        cuts_made(monkeypatch, lambda _n: 8.0, TRIES + 1)
