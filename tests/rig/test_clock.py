"""Deadlines are of the machine's own time: a busy one is waited for longer, and none for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.clock import MOST_SLOWDOWN, Clock, Deadline, poll, wait_fixed, wait_for
from rig.errors import LabFault


class BusyClock(Clock):
    """Stands still unless somebody sleeps; `busy` tells how slow the machine is at a moment."""

    def __init__(self, busy=lambda _now: 1.0):
        self.time, self.busy, self.probes = 0.0, busy, 0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def slowdown(self):
        self.probes += 1
        return self.busy(self.time)


PACES = {
    "a machine that is idle": (lambda _now: 1.0, 10.0),
    "one that is three times as slow": (lambda _now: 3.0, 30.0),
    "one that was busy, and is no longer": (lambda now: 4.0 if now < 8 else 1.0, 16.0),
    "one that becomes busy at the end": (lambda now: 1.0 if now < 9 else 5.0, 16.0),
}


@pytest.mark.parametrize("case", PACES)
def test_a_deadline_of_ten_seconds_comes_when_the_machine_has_given_ten(case):
    busy, expected = PACES[case]
    clock = BusyClock(busy)
    assert poll(lambda: None, seconds=10.0, clock=clock) is None
    assert clock.time == pytest.approx(expected, abs=2.0)


@given(st.floats(0.01, 100), st.floats(1, MOST_SLOWDOWN))
def test_no_deadline_is_later_than_the_slowest_machine_makes_it_or_earlier_than_it_says(seconds, slow):
    clock = BusyClock(lambda _now: slow)
    wait_fixed(seconds, clock)
    assert seconds - 0.01 <= clock.time <= seconds * slow + 1.1


def test_who_finds_at_once_asks_nobody_how_busy_the_machine_is():
    clock = BusyClock()
    assert poll(lambda: "there", seconds=10.0, clock=clock) == "there"
    assert poll(lambda: None, seconds=0.0, clock=clock) is None
    assert (clock.probes, clock.time) == (0, 0.0)


def test_what_never_comes_is_a_lab_fault_that_says_what_was_waited_for():
    with pytest.raises(LabFault, match=r"waited 2\.0 s for the banner"):
        wait_for(lambda: None, seconds=2.0, reason="the banner", clock=BusyClock(), board="core-01")


def test_a_deadline_that_is_over_stays_over():
    clock = BusyClock()
    deadline = Deadline(1.0, clock)
    clock.sleep(1.5)
    assert [deadline.left(), deadline.left()] == [0.0, 0.0]


def test_a_machine_whose_cores_are_taken_is_measured_as_slow():
    """Four busy processes beside us on one processor leave us a fifth of it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        seen = poll(lambda: Clock().slowdown() > 2.0 or None, seconds=20.0, clock=Clock())
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
        os.sched_setaffinity(0, before)
    assert seen, "the machine is busy and is taken for an idle one"
