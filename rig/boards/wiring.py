"""What a board hangs on: protocols that drivers of hardware and stand-ins in tests both keep, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rig.drivers.relay import ButtonDriver, Contact
from rig.errors import Misuse


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


def button_of(target: Any, tags: dict[str, str], name: str) -> Button | None:
    """The button called `name` behind a labgrid target; None where the place's tags do not say that it is wired."""
    return target.get_driver(ButtonDriver, name=name) if tags.get(name) == "wired" else None


def wired(button: Button | None, line: str, tag: str, *, board: str) -> Button:
    """A button that is there. Raises Misuse that names its `line` and the place's `tag` where it is not."""
    if button is None:
        raise Misuse(f"{line} is not wired here", board=board, hint=f"ask for a place with the tag {tag}=wired")
    return button


@contextmanager
def held(button: Button) -> Iterator[None]:
    """A button, pressed while inside."""
    button.set(True)
    try:
        yield
    finally:
        button.set(False)
