"""The cut engine: it fires on its event, not before its delay, and never when nothing was aimed at."""

from __future__ import annotations

import threading

import pytest

from rig.drivers.progress import Progress
from rig.errors import LabFault
from rig.power.cut import Cut
from rig.power.trigger import Aim


class RecordingContact:
    """A contact that only notes what it was told, and by whom."""

    route, direct = "a note", True

    def __init__(self, fails: bool = False):
        self.told: list[tuple[bool, str]] = []
        self.open = False
        self._fails = fails

    def connect(self):
        self.open = True

    def switch(self, closed):
        if self._fails:
            raise LabFault("relay does not switch")
        self.told.append((closed, threading.current_thread().name))

    def close(self):
        self.open = False


def events(phase="program", total=4):
    return [Progress(phase, 0x0800_5000 + 1024 * done, done, total) for done in range(1, total + 1)]


def test_it_fires_once_on_the_first_event_that_matches_and_on_a_thread_of_its_own():
    contact = RecordingContact()
    with Cut(contact, Aim("program", 0.5)) as cut:
        for event in [*events("erase"), *events()]:
            cut.watch(event)
    assert contact.told == [(False, "cut")]
    assert cut.fired is not None
    assert not contact.open


@pytest.mark.parametrize("delay_ms", [0, 1, 5, 20])
def test_the_command_leaves_no_earlier_than_its_delay(delay_ms):
    with Cut(RecordingContact(), Aim("program", 0.5, delay_ms)) as cut:
        cut.watch(events()[1])
    assert cut.fired.command_ns - cut.fired.trigger_ns >= delay_ms * 1e6


def test_nothing_is_cut_when_nothing_matched():
    contact = RecordingContact()
    with Cut(contact, Aim("commit")) as cut:
        for event in events():
            cut.watch(event)
    assert (contact.told, cut.fired) == ([], None)


def test_a_relay_that_fails_in_the_cut_is_not_lost_in_its_thread():
    with pytest.raises(LabFault, match="does not switch"), Cut(RecordingContact(fails=True), Aim("program", 0)) as cut:
        cut.watch(events()[0])


MATCHES = {
    "first event at share 0": (Aim("erase", 0), Progress("erase", 0, 1, 22), True),
    "not yet half": (Aim("erase", 0.5), Progress("erase", 0, 10, 22), False),
    "half": (Aim("erase", 0.5), Progress("erase", 0, 11, 22), True),
    "another phase": (Aim("erase", 0.5), Progress("program", 0, 22, 22), False),
    "commit begun": (Aim("commit", 0), Progress("commit", 0, 0, 1), True),
    "commit begun, end wanted": (Aim("commit", 1), Progress("commit", 0, 0, 1), False),
}


@pytest.mark.parametrize("case", MATCHES)
def test_what_an_aim_matches(case):
    aim, progress, expected = MATCHES[case]
    assert aim.matches(progress) is expected
