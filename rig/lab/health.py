"""Health of places: a board left dead or suspect is tagged with its reason and not handed out.

The tag `health` is what stock tools can reserve by (`health=ok`); why a board is in quarantine says the tag `reason`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rig.boards.board import Board
from rig.errors import LabFault, Misdescribed, Misuse, RigError, Unreachable
from rig.family.contract import is_ours
from rig.lab.coordinator import Coordinator

HEALTH, REASON = "health", "reason"
OK, QUARANTINE = "ok", "quarantine"
_LONGEST_REASON = 120


def is_quarantined(tags: Mapping[str, str]) -> bool:
    """Whether a place's board is not to be handed out."""
    return tags.get(HEALTH) == QUARANTINE


def quarantine(coordinator: Coordinator, place: str, reason: str) -> None:
    """Take a board out of circulation; tags cannot hold spaces, so words are joined by dashes."""
    words = re.sub(r"[^\w.+-]+", "-", reason).strip("-")[:_LONGEST_REASON]
    coordinator.tag(place, **{HEALTH: QUARANTINE, REASON: words or "unknown"})


def clear_quarantine(coordinator: Coordinator, place: str) -> None:
    """Put a board back into circulation."""
    coordinator.tag(place, **{HEALTH: OK, REASON: ""})


def is_suspect(board: Board, fault: RigError) -> bool:
    """Whether a fault is its board's, or may be. One of the lab is not, where the board answers once that is over."""
    if isinstance(fault, (Misuse, Unreachable, Misdescribed)):
        return False
    if isinstance(fault, LabFault):
        try:
            board.enter_readback_mode()
        except Unreachable:
            return False
        except RigError:
            return True
        return False
    return True


@dataclass(frozen=True, slots=True)
class Health:
    """One place's health, who holds it, and what its cuts go through where somebody looked."""

    place: str
    board: str
    health: str
    reason: str
    holder: str
    cut: str = ""


def all_health(coordinator: Coordinator) -> list[Health]:
    """The health of every place with a board of a kind that we know."""
    return [
        Health(
            name,
            place.tags["board"],
            place.tags.get(HEALTH, "unknown"),
            place.tags.get(REASON, ""),
            str(place.acquired or ""),
        )
        for name, place in sorted(coordinator.places().items())
        if is_ours(place.tags)
    ]
