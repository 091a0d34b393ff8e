"""An update path as board sweeps cut it: its phases, and for each a trial that is cut at any position in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rig.campaign.trial import Trial
    from rig.firmware.manifest import Image

#: Makes a trial on a board with images by role, cut at a position in a phase: 0 where it begins, 1 where it ends.
TrialAt = Callable[[float, Any, Mapping[str, "Image"]], "Trial[Any]"]


@dataclass(frozen=True, slots=True)
class BoardPath:
    """One path; `phases` are those that a relay can hit, called as landings call them, in order.

    `needs` are tags that its place must have; `lacks` tells by a place's tags which phases its board does not have.
    `plays` says by part which image plays it here, where there is one: a copy of a short one is mostly of blank flash,
    which does not tell how far it came.
    """

    title: str
    phases: Mapping[str, TrialAt]
    needs: Mapping[str, str] = field(default_factory=dict)
    lacks: Callable[[Mapping[str, str]], Collection[str]] = lambda _tags: ()

    plays: Mapping[str, str] = field(default_factory=dict)
    #: The model's phase that its trials begin with, where the model begins with the way into readback mode.
    begins: str | None = None

    def why_not(self, tags: Mapping[str, str]) -> str | None:
        """Why a board whose place has these tags cannot be swept by it; None for one that can."""
        lacking = [f"{tag}={value}" for tag, value in self.needs.items() if tags.get(tag) != value]
        if lacking:
            return f"its place lacks {', '.join(lacking)}"
        return None if self.phases_on(tags) else "it has no phase of it"

    def roles_of(self, roles: Mapping[str, Image]) -> dict[str, Image]:
        """The images of a board as they play their parts on this path."""
        return {**roles, **{part: roles[role] for part, role in self.plays.items() if role in roles}}

    def phases_on(self, tags: Mapping[str, str]) -> dict[str, TrialAt]:
        """Those of a board whose place has these tags."""
        lacking = self.lacks(tags)
        return {phase: trial_at for phase, trial_at in self.phases.items() if phase not in lacking}


class BoardSweeps(Protocol):
    """What boards of one kind can be swept by."""

    @property
    def paths(self) -> Mapping[str, BoardPath]:
        """By the names that the model's sweeps have for them; a path that the model lacks has a name of its own."""

    def path_of(self, trial: Trial[Any]) -> str | None:
        """The path that a trial of any suite goes; None where no sweep has that."""

    def reader(self, path: str, roles: Mapping[str, Image], phase: str) -> Trial[Any]:
        """A trial of a path that is not to be made: it reads landings, as one does that was cut in a phase."""

    def choices(self, tags: Mapping[str, str], roles: Mapping[str, Image]) -> dict[str, str]:
        """What the model's sweeps let choose, as it is on a board whose place has these tags, with these images."""


def share_of_piece(position: float, pieces: int) -> tuple[float, float]:
    """Where a position falls in work of so many pieces that each tell when they begin, counted in.

    Returns the share that only this piece and later ones reach, and which part of the piece is done by then.
    """
    number = min(int(position * pieces), pieces - 1)
    return (number + 0.99) / pieces, position * pieces - number
