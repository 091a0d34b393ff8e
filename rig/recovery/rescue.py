"""What a kind of board brings to the rescue ladder: its rungs, and the state that every trial starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from rig import registry

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.firmware.manifest import Image


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


class Recovery(Protocol):
    """Of one kind of board."""

    def rescue(self, board: Any, roles: Mapping[str, Image], golden: Image) -> Rescue:
        """How a board is brought back: its rungs; `golden` is what reflashing writes."""

    def restore_known_state(self, board: Any, roles: Mapping[str, Image]) -> None:
        """Bring a board to the state that every trial starts from. Raises DeviceFault where it cannot be."""


def recovery_of(board: Board) -> Recovery:
    """How this board is brought back, as its family knows."""
    return cast(Recovery, registry.family(board.kind).recovery)
