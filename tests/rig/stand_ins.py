"""What stands in for a board's place in tests: a relay and a USB port that show what they are told, and a clock."""

from __future__ import annotations

from rig.clock import Clock


class Lines:
    """A relay and a USB port whose states a test sets."""

    serves_twin = False

    def __init__(self, closed, identity):
        self.closed, self.shown = closed, identity

    def off(self):
        return None

    def get(self):
        return self.closed

    def identity(self):
        return self.shown

    def other_dfu_devices(self):
        return {}


class Showing(Lines):
    """A board that shows each identity until its moment has come; buttons do nothing."""

    def __init__(self, clock, *shown):
        super().__init__(False, None)
        self.clock, self.shown_until = clock, shown

    def on(self):
        return None

    def set(self, _pressed):
        return None

    def identity(self):
        return next(identity for identity, until in self.shown_until if self.clock.now() < until)


class Ticking(Clock):
    """A clock that runs as fast as it is looked at."""

    def __init__(self):
        self.at = 0.0

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds

    def slowdown(self):
        return 1.0
