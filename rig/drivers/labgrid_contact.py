"""What feeds a board through any driver of labgrid: a digital output, or a power driver.

It is slower than a connection of the rig's own and opens one for each command, mostly. Commands go past labgrid's step
stack, which two threads must not use at once (labgrid #1851), and one at a time: drivers are not made for two threads.
Only drivers that run a program leave a step for it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from labgrid.driver import DigitalOutputPowerDriver
from labgrid.protocol import DigitalOutputProtocol

from rig.drivers.place import place_name
from rig.errors import LabFault, Unreachable

T = TypeVar("T")
#: labgrid's HTTP backends wait for an answer without an end.
ANSWER_SECONDS = 10.0


class LabgridContact:
    """A contact behind an active driver. A power driver that cannot read back is believed what it was told last."""

    direct = False

    def __init__(self, driver: Any, seconds: float = ANSWER_SECONDS):
        self.route = f"labgrid's {type(driver).__name__}"
        self._board, self._seconds = place_name(driver.target), seconds
        # The output itself: its power driver adds a step and nothing else.
        self._driver = driver.output if isinstance(driver, DigitalOutputPowerDriver) else driver
        self._reads_back = hasattr(self._driver, "get")
        if not self._reads_back:
            self.route += ", which cannot read back"
        self._is_closed = True
        self._lock = _lock_of(self._driver)

    def connect(self) -> None:
        """See that it answers. Raises LabFault."""
        self.is_closed()

    def switch(self, closed: bool) -> None:
        """Close or open it. Raises LabFault."""
        if isinstance(self._driver, DigitalOutputProtocol):
            self._ask("switch", lambda: self._plain("set")(closed))
        else:
            self._ask("switch", self._plain("on" if closed else "off"))
        self._is_closed = closed

    def is_closed(self) -> bool:
        """Read it back. Raises LabFault."""
        return bool(self._ask("read back", self._plain("get"))) if self._reads_back else self._is_closed

    def close(self) -> None:
        """Nothing stays open."""

    def _plain(self, name: str) -> Callable[..., Any]:
        """A method of the driver without what labgrid wraps around it."""
        method: Callable[..., Any] = inspect.unwrap(getattr(type(self._driver), name)).__get__(self._driver)
        return method

    def _ask(self, action: str, call: Callable[[], T]) -> T:
        """What comes of a call, if it ends in time. Raises Unreachable."""
        answers: list[T] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                with self._lock:
                    answers.append(call())
            except Exception as error:  # backends raise whatever their libraries do
                errors.append(error)

        thread = threading.Thread(target=work, name=f"{self.route} {action}", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if answers:
            return answers[0]
        why = f": {errors[0]}" if errors else f" within {self._seconds:g} s"
        raise Unreachable(
            f"{self.route} does not {action}{why}",
            board=self._board,
            hint="is the relay alive, and the right channel?",
        )


class LabgridRelay:
    """A board's supply through a driver of labgrid."""

    def __init__(self, driver: Any):
        self._driver = driver
        self._contact = LabgridContact(driver)

    def contact(self) -> LabgridContact:
        """For a thread that cuts: the same driver, which takes one command at a time."""
        return self._contact

    def on(self) -> None:
        """Feed the board."""
        self._contact.switch(True)

    def off(self) -> None:
        """Take the supply away."""
        self._contact.switch(False)

    def get(self) -> bool:
        """Whether it reads back as fed."""
        return self._contact.is_closed()


class LabgridButton:
    """A button on a digital output of labgrid that is closed while it is pressed; what was told is read back."""

    def __init__(self, driver: Any):
        self._contact, self._board = LabgridContact(driver), place_name(driver.target)

    def set(self, status: bool) -> None:
        """Press or let go. Raises LabFault when the relay does not do it."""
        self._contact.switch(status)
        if self._contact.is_closed() != status:
            raise LabFault("the relay does not move the button", board=self._board, hint="a sticky relay?")

    def get(self) -> bool:
        """Whether it is pressed, as the relay reads back."""
        return self._contact.is_closed()


def _lock_of(driver: Any) -> threading.Lock:
    """The one lock of a driver, whoever talks to it."""
    lock: threading.Lock = driver.__dict__.setdefault("_rig_lock", threading.Lock())
    return lock
