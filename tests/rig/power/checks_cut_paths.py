"""Named checks of test_mutants: cuts through labgrid's drivers, and what health sees of the ways to relays."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from unittest import mock

from labgrid.protocol import DigitalOutputProtocol
from labgrid.step import step, steps

from rig.drivers.labgrid_contact import LabgridContact
from rig.errors import Unreachable
from rig.firmware.checkout import part
from rig.lab import cut_paths
from rig.power.cut_path import CutPath


class Output(DigitalOutputProtocol):
    """A digital output that notes what was asked of it at once, and from how many threads."""

    def __init__(self, target, name):
        self.target, self.name, self.closed = target, name, True
        self.inside, self.most = 0, 0

    @step(args=["status"])
    def set(self, status):
        self.closed = status

    @step()
    def get(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.01)
        self.inside -= 1
        return self.closed


def output():
    return Output(SimpleNamespace(name="core-01", resources=[]), "power")


def a_cut_through_labgrid_makes_no_step(_folder):
    seen = []
    steps.subscribe(seen.append)
    LabgridContact(output()).switch(False)
    steps.unsubscribe(seen.append)
    assert not seen, "labgrid's stack of steps is not for two threads"


def two_threads_ask_a_driver_of_labgrid_one_after_the_other(_folder):
    driver = output()
    threads = [threading.Thread(target=LabgridContact(driver).is_closed) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert driver.most == 1


def a_path_is_looked_at_and_not_switched(_folder):
    driver = output()
    driver.set(False)
    CutPath.measure(LabgridContact(driver))
    assert driver.closed is False


def seen_of(contact, *, holder=None, lacks=None):
    """What health sees of one place whose relay is `contact`."""
    coordinator = SimpleNamespace(
        places=lambda: {"core-01": SimpleNamespace(acquired=holder, tags={})},
        missing_now=lambda _name: lacks,
        offered_to=lambda _name: {},
    )
    with mock.patch.object(cut_paths, "contact_among", return_value=contact):
        return cut_paths.cut_paths(coordinator, part("places", "virtual.yaml"), ["core-01"])["core-01"]


def a_relay_of_a_held_place_is_not_asked(_folder):
    driver = output()
    assert seen_of(LabgridContact(driver), holder="bench/ann") == cut_paths.HELD
    assert driver.most == 0


def a_dead_exporter_and_a_dead_relay_are_told_apart_from_a_live_one(_folder):
    dead = LabgridContact(output())
    dead._plain = lambda _name: lambda: 1 / 0
    assert isinstance(seen_of(LabgridContact(output())), CutPath)
    assert isinstance(seen_of(LabgridContact(output()), lacks="lab/core-01/*"), Unreachable)
    assert isinstance(seen_of(dead), Unreachable)
