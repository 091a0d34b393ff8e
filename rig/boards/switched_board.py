"""What is the same for every board whose supply a relay switches, and whose buttons are contacts beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from rig.boards.board import power_cycle, supply_power
from rig.boards.history import History
from rig.boards.wiring import Button, Buttons, Relay
from rig.clock import Clock, poll
from rig.drivers.progress import Watcher, ignore_progress
from rig.firmware.manifest import BoardKind

T = TypeVar("T")


class SwitchedBoard(ABC):
    """A board in its place; a kind of board adds what it shows, and the way its flash is written and read."""

    kind: ClassVar[BoardKind]
    #: Signs that show that an application runs.
    alive: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        name: str,
        *,
        relay: Relay,
        buttons: Sequence[Button | None],
        reset: Button | None,
        tags: dict[str, str] | None,
        clock: Clock | None,
    ):
        """`buttons` are those beside `reset`; None is one that is not wired."""
        self.name = name
        self.relay = relay
        self.tags = tags or {}
        self.clock = clock or Clock()
        self.history = History()
        #: Whether flash holds the known state and the board waits in its readback mode; who sees to that says so.
        self.known = False
        self.known_images: dict[str, str] = {}
        self._reset = reset
        self.buttons = Buttons(*buttons, reset)

    @abstractmethod
    def sign(self) -> str | None:
        """What the board shows now; None for silence. It goes into the board's history."""

    @abstractmethod
    def verify_off(self) -> None:
        """See by two signs that know nothing of each other that the board is without power. Raises LabFault."""

    @abstractmethod
    def part(self) -> None:
        """Let go of what is connected to the board: its supply is about to go."""

    def power_off(self) -> None:
        """Take the supply away, and see that the board is gone. Raises LabFault when it is not."""
        self.known = False
        self.part()
        self.relay.off()
        self.verify_off()

    def power_on(self) -> None:
        """Give the supply back. Whether the board starts is for the caller to see."""
        supply_power(self)

    def start(self, watch: Watcher = ignore_progress) -> None:
        """Power-cycle; tells `watch` of the power-on."""
        self.history.add_action("power-cycled")
        power_cycle(self, watch)

    def observe(self, seconds: float) -> str | None:
        """The first sign within `seconds`; None for silence."""
        return self._look(self.sign, seconds)

    def is_alive(self, seconds: float) -> bool:
        """Whether an application shows itself within `seconds`; what shows on the way does not matter."""
        return bool(self._look(lambda: self.sign() in self.alive, seconds))

    @property
    def has_reset(self) -> bool:
        """Whether its reset can be pressed here."""
        return self._reset is not None

    def hung_since(self, since_ns: int) -> bool:
        """Whether what shows its signs was seen to hang after a moment (monotonic): its silence says nothing then.

        Never, where that is asked for each sign and is a fault at once when it hangs. A kind of board that is only
        listened to says here what it has seen.
        """
        return False

    def _look(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """What comes of a look within `seconds`."""
        return poll(look, seconds=seconds, clock=self.clock)
