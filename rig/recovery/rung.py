"""One rung of the rescue ladder, and what a kind of board brings to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to bring a board back: `act`, then an application must show itself within `seconds`."""

    name: str
    act: Callable[[], None]
    seconds: float


class Rescue(Protocol):
    """What the ladder must know of a board."""

    @property
    def alive(self) -> tuple[str, ...]:
        """Signs of an application that runs."""

    @property
    def stays(self) -> tuple[str, ...]:
        """Signs of a board that nothing changes by waiting."""

    def rungs(self) -> Iterator[Rung]:
        """The rungs this place has, lowest first."""

    def settle(self, seconds: float, started: float) -> str | None:
        """What the board shows within `seconds`, once it stays with it; None for silence."""

    def lives(self, seconds: float) -> bool:
        """Whether an application shows itself within `seconds` and stays; what shows on the way does not matter."""

    def running(self, longest: int) -> bytes | None:
        """What lies in flash from where the application that runs begins: at least `longest` bytes.

        None where nobody can tell.
        """
