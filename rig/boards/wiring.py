"""What a board hangs on: protocols that drivers of hardware and stand-ins in tests both keep, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from labgrid.protocol import DigitalOutputProtocol, PowerProtocol

from rig.drivers.contact import Contact
from rig.drivers.labgrid_contact import LabgridButton, LabgridRelay
from rig.drivers.place import place_name
from rig.drivers.relay import ButtonDriver, RelayDriver
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


def relay_of(target: Any) -> Relay:
    """What feeds the board behind a labgrid target: any power driver or digital output that the environment has.

    Of several it is the RelayDriver, else the one called `power`, else the only power driver. Those of the rig hand out
    a connection of their own for cuts, all others are slower. Raises Misuse where it cannot be told.
    """
    switches = [driver for driver in target.drivers if isinstance(driver, (PowerProtocol, DigitalOutputProtocol))]
    chosen = (
        [driver for driver in switches if isinstance(driver, RelayDriver)]
        or [driver for driver in switches if driver.name == "power"]
        or [driver for driver in switches if isinstance(driver, PowerProtocol)]
    )
    if len(chosen) != 1:
        raise Misuse(
            f"the environment has {len(chosen)} drivers that may feed it",
            board=place_name(target),
            hint="call one of them `power`: a power driver or a digital output",
        )
    target.activate(chosen[0])
    return cast(Relay, chosen[0]) if hasattr(chosen[0], "contact") else LabgridRelay(chosen[0])


def button_of(target: Any, tags: dict[str, str], name: str) -> Button | None:
    """The button called `name` behind a labgrid target, on any digital output.

    None where the place's tags do not say that it is wired.
    """
    if tags.get(name) != "wired":
        return None
    driver = target.get_driver(DigitalOutputProtocol, name=name)
    return cast(Button, driver) if isinstance(driver, ButtonDriver) else LabgridButton(driver)


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

    def release(self) -> None:
        """Let go of all that nobody here holds. Raises LabFault where one does not move."""
        for button in self._others():
            button.set(False)

    def _others(self) -> list[Button]:
        return [button for button in self._wired if button not in self._held]
