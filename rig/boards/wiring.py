"""What a Core hangs on: protocols that drivers of hardware and stand-ins in tests both keep."""

from __future__ import annotations

from typing import Any, Protocol

from rig.drivers.relay import Contact


class Relay(Protocol):
    """What feeds a board."""

    def on(self) -> None:
        """Feed it."""

    def off(self) -> None:
        """Take the supply away."""

    def get(self) -> bool:
        """Whether it reads back as fed."""

    def contact(self) -> Contact:
        """A connection of its own, for a thread that cuts."""


class Button(Protocol):
    """A button at a board."""

    def set(self, status: bool) -> None:
        """Press or let go."""


class UsbPort(Protocol):
    """Where a board's USB hangs."""

    def identity(self) -> str | None:
        """`VVVV:PPPP` of what hangs there now."""

    def device(self) -> Any:
        """The pyusb device."""
