"""A contact of a relay as cuts use it, whatever it is reached through."""

from __future__ import annotations

from typing import Protocol


class Contact(Protocol):
    """One contact, closed while the board is fed. Not for two threads at once.

    `route` says what a command goes through, for people; `direct` whether that is a connection of the rig's own, which
    stays open, so that a command leaves without anything in between.
    """

    @property
    def route(self) -> str:
        """What a command goes through."""

    @property
    def direct(self) -> bool:
        """Whether nothing of labgrid is in between."""

    def connect(self) -> None:
        """Make everything ready, so that the first command does not pay for it. Raises LabFault."""

    def switch(self, closed: bool) -> None:
        """Close or open it. Raises LabFault when the relay does not answer."""

    def is_closed(self) -> bool:
        """Read it back. Raises LabFault."""

    def close(self) -> None:
        """Hang up; the contact stays as it is."""
