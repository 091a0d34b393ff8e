"""Named checks of test_mutants about aims that a slow relay misses: the next command leaves sooner."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

from rig.campaign.until_landed import CutUntilLanded
from rig.errors import LabFault
from rig.power.landing import OUTSIDE, Landing
from rig.power.trigger import Aim
from tests.rig.families.spark_core.twin.models import ROLES

#: ms after the trigger: what is aimed at, and how long that goes on.
MOMENT, WINDOW = 200.0, 20.0


class LateRelay:
    """A bench at which the n-th command takes `took(n)` ms longer than its relay, and `unseen` more until it acts."""

    board = SimpleNamespace(name="core-01", tags={"relay_ms": "8"})

    def __init__(self, took, unseen):
        self._took, self._unseen, self.cuts = map(took, count()), unseen, 0

    def run(self, trial, *, lead_ms=0.0):
        took = next(self._took)
        self.cuts += 1
        is_hit = MOMENT <= trial.aim.command_after(lead_ms) + took + self._unseen < MOMENT + WINDOW
        landing = Landing("mark" if is_hit else OUTSIDE, None, "read-back", "")
        outcome, line = SimpleNamespace(dead=False, name="old"), {"trial": str(self.cuts)}
        return SimpleNamespace(landing=landing, outcome=outcome, took_ms=took + 8.0, line=line)


def landed(took, unseen=0.0) -> tuple[str, int]:
    """In which phase a cut landed in the end, `outside` when none did; and how many were made."""
    bench = LateRelay(took, unseen)
    trial = SimpleNamespace(aim=Aim("power-on", delay_ms=MOMENT + WINDOW / 2), target=ROLES["new"])
    try:
        return CutUntilLanded(bench, lambda _name, _value: None)(trial, lands="mark").landing.phase, bench.cuts
    except LabFault:
        return OUTSIDE, bench.cuts


def what_a_relay_took_is_reckoned_with(_folder):
    assert landed(lambda _n: 60.0) == ("mark", 2)


def cuts_that_the_rig_was_late_with_are_no_tries(_folder):
    assert landed(lambda n: (30.0, 90.0)[n % 2] if n < 8 else 90.0) == ("mark", 9)
