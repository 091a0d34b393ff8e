"""What any board in a place can do, whichever kind it is: enough to cut its power and to see what that did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rig.boards.wiring import Relay
from rig.clock import Clock
from rig.firmware.manifest import BoardKind

#: Stretches of flash by address: what is there.
Contents = dict[int, bytes]


class Board(Protocol):
    """A board under test."""

    name: str
    tags: dict[str, str]
    relay: Relay
    clock: Clock
    #: Whether flash holds the known state and the board waits in its reader.
    known: bool
    #: Images of the known state by role: another cast makes another one.
    cast: dict[str, str]

    @property
    def kind(self) -> BoardKind:
        """What it is."""

    def power_on(self) -> None:
        """Give the supply back. Whether the board starts is for the caller to see."""

    def power_off(self) -> None:
        """Take the supply away, and see that the board is gone. Raises LabFault when it is not."""

    def verify_off(self) -> None:
        """See by two signs that know nothing of each other that the board is without power. Raises LabFault."""

    def enter_reader(self) -> None:
        """Power-cycle into the reader that changes nothing. Raises LabFault, DeviceFault, Misuse."""

    def read_flash(self, stretches: Sequence[tuple[int, int]]) -> Contents:
        """Address and length of each stretch: what is there, by the reader that changes nothing."""
