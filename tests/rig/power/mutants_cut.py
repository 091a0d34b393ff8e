"""Planted faults of a cut: its delay and its event."""

from __future__ import annotations

from types import SimpleNamespace

from rig.power import cut as cut_module
from tests.rig.power import checks_cut as check


def _blind_switch(self, progress):
    self._trigger_ns = 1
    self._triggered.set()


def _hasty_time():
    import time

    ahead = SimpleNamespace(calls=0)

    def monotonic():
        ahead.calls += 1
        return time.monotonic() + ahead.calls * 10

    return SimpleNamespace(monotonic=monotonic, monotonic_ns=time.monotonic_ns, sleep=lambda _seconds: None)


MUTANTS = {
    "cut: the delay is ignored": (
        lambda m: m.setattr(cut_module, "time", _hasty_time()),
        check.a_cut_waits_for_its_delay,
    ),
    "cut: any event fires it": (
        lambda m: m.setattr(cut_module.Cut, "watch", _blind_switch),
        check.a_cut_waits_for_its_event,
    ),
}
