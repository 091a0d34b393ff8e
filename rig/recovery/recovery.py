"""What a family knows of bringing its boards back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from rig import registry

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.firmware.manifest import Image
    from rig.recovery.rung import Rescue


class Recovery(Protocol):
    """Of one kind of board."""

    def rescue(self, board: Any, roles: Mapping[str, Image], golden: Image) -> Rescue:
        """How a board is brought back: its rungs; `golden` is what reflashing writes."""

    def restore_known_state(self, board: Any, roles: Mapping[str, Image]) -> None:
        """Bring a board to the state that every trial starts from. Raises DeviceFault where it cannot be."""


def recovery_of(board: Board) -> Recovery:
    """How this board is brought back, as its family knows."""
    return cast(Recovery, registry.family(board.kind).recovery)
