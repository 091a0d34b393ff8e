"""What every board must keep to, whichever kind it is: its power switch, silence without power, a sign with it.

They need no image and no reader: on hardware an environment file, and nothing else. Each kind that is installed has
them.
"""

from __future__ import annotations

import contextlib

import pytest

from rig import registry
from rig.boards.board import restart

pytestmark = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.board(kind)) for kind in registry.kinds()]
)
#: A board shows something long before that, whichever kind it is; without power it shows nothing for this long.
SHOWS_SECONDS, SILENT_SECONDS = 30.0, 0.5


@pytest.fixture
def switched(board):
    """A board whose supply is switched: it is fed again in the end."""
    yield board
    restart(board)


def test_a_power_switch_reads_back_what_it_was_told(switched, kind):
    for state in (False, False, True, True):
        (switched.relay.on if state else switched.relay.off)()
        assert switched.relay.get() is state


def test_a_contact_of_its_own_switches_the_same_relay(switched, kind):
    with contextlib.closing(switched.relay.contact()) as contact:
        contact.connect()
        contact.switch(False)
        assert switched.relay.get() is False, "its relay reads back as closed"
        contact.switch(True)
        assert switched.relay.get() is True, "its relay reads back as open"


def test_without_power_it_shows_nothing_and_with_power_something(switched, kind):
    switched.power_off()
    assert switched.observe(SILENT_SECONDS) is None, "it shows itself without power"
    switched.power_on()
    assert switched.observe(SHOWS_SECONDS) is not None, "it shows nothing once it is fed again"
