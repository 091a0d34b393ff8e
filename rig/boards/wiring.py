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

    def get(self) -> bool:
        """Whether it reads back as pressed."""


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


class Buttons:
    """All buttons of a board that are wired, and which of them somebody here holds now."""

    def __init__(self, *buttons: Button | None):
        self._wired = [button for button in buttons if button is not None]
        self._held: list[Button] = []

    @contextmanager
    def held(self, button: Button) -> Iterator[None]:
        """One of them, pressed while inside."""
        self._held.append(button)
        try:
            button.set(True)
            yield
        finally:
            self._held.remove(button)
            button.set(False)

    def left_pressed(self) -> bool:
        """Whether one reads back as pressed that nobody here holds."""
        return any(button.get() for button in self._others())

    def let_go(self) -> None:
        """Let go of all that nobody here holds. Raises LabFault where one does not move."""
        for button in self._others():
            button.set(False)

    def _others(self) -> list[Button]:
        return [button for button in self._wired if button not in self._held]
