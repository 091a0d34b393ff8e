"""The rescue ladder: rungs in order, each with what it does, how long it may take and how one sees it worked.

Which rungs there are is a matter of the board's kind and of what its place is wired for. What runs after a rung is read
back from flash, not believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rig.boards.board import Board
from rig.boards.history import KNOWN
from rig.errors import DeviceFault, NoAnswer
from rig.firmware.catalogue import Catalogue
from rig.firmware.manifest import Image
from rig.firmware.outcomes import BY_HAND, Became
from rig.firmware.roles import OUTCOME_ROLES
from rig.recovery.rescue import Rung, recovery_of

NO_IMAGE = "none"
NO_RUNG = "none"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a board became: the role of the image that ran without a hand, and the rung that healed the board.

    `image` is old, new, previous, factory, other or none; `rung` is self, wait, power-cycle, reset, reflash,
    factory-reset or none; `seconds` from the free start to the healed board; `at_ns` when it was seen (monotonic):
    before a hand or a readback came to the board.
    """

    image: str
    rung: str
    seconds: float
    seen: str
    at_ns: int | None = None

    @property
    def by_itself(self) -> bool:
        """It came back while nobody did anything."""
        return self.rung in ("self", "wait")

    @property
    def stranded(self) -> bool:
        """Alive, but it needed a hand or a cable."""
        return self.rung in BY_HAND

    @property
    def dead(self) -> bool:
        """No rung healed it."""
        return self.rung == NO_RUNG

    @property
    def name(self) -> str:
        """Short, for tables: the image, or what became of the board."""
        if self.dead:
            return "dead"
        return "stranded" if self.stranded else self.image

    @property
    def became(self) -> Became:
        """What expectations are compared with."""
        return Became(self.name, self.rung, self.at_ns)

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        fields = {name: value for name, value in asdict(self).items() if name != "at_ns"}
        return {**fields, "became": self.name}


class RescueLadder:
    """Climbs a board that stands without power back to a running image.

    `roles` names the images the board may come back with; `golden` is what reflashing writes.
    """

    def __init__(self, board: Board, roles: Mapping[str, Image], golden: Image):
        self._board = board
        images = {role: roles[role] for role in OUTCOME_ROLES if role in roles}
        self._roles = {image.sha256: role for role, image in images.items()}
        self._catalogue = Catalogue(images.values())
        self._longest = max(map(len, images.values()), default=0)
        self._rescue = recovery_of(board).rescue(board, roles, golden)

    def rungs(self) -> Iterator[Rung]:
        """The rungs this place has, lowest first."""
        return self._rescue.rungs()

    def climb(self, note: Callable[[str], None]) -> Outcome:
        """Start the board free and go up until it runs. It ends powered, in its readback mode or running.

        A board that does not answer, at a port that does, is the board's matter. Raises LabFault for any other.
        """
        clock, seen, sign = self._board.clock, [], None
        began = started = clock.now()
        left_ns: int | None = None
        for rung in self.rungs():
            if rung.name == "wait" and sign in self._rescue.stays:
                continue
            if rung.name != "wait":
                started = clock.now()
            if rung.name in BY_HAND:
                left_ns = left_ns or time.monotonic_ns()
            try:
                rung.act()
                sign = self._rescue.settle(rung.seconds, started)
            except (DeviceFault, NoAnswer) as error:
                sign = error.message
            seen.append(f"{rung.name}: {sign or 'silence'}")
            note(seen[-1])
            if sign in self._rescue.alive:
                seconds, at_ns = clock.now() - began, left_ns or time.monotonic_ns()
                image = NO_IMAGE if rung.name in BY_HAND else self._what_runs()
                return Outcome(image, rung.name, seconds, "; ".join(seen), at_ns)
        return Outcome(NO_IMAGE, NO_RUNG, clock.now() - began, "; ".join(seen), time.monotonic_ns())

    def outcome_unattended(self, seconds: float) -> Became:
        """What a board with power becomes within `seconds` while nobody does anything: an image, or `stranded`."""
        lives, at_ns = self._rescue.lives(seconds), time.monotonic_ns()
        return Became(self._what_runs() if lives else "stranded", at_ns=at_ns)

    def _what_runs(self) -> str:
        """Role of the image that runs, read back, not believed."""
        running = self._rescue.running(self._longest)
        image = self._catalogue.find(running) if running is not None else None
        return self._roles[image.sha256] if image is not None else "other"


def restore_known_state(board: Board, roles: Mapping[str, Image]) -> None:
    """Bring the board to its known state: the golden image and what else `roles` name, the board in its readback mode.

    Whatever was done to it before ends here. Raises DeviceFault when the board cannot be brought back.
    """
    images = {role: image.sha256 for role, image in roles.items()}
    if board.known and board.known_images == images:
        return
    board.known_images = images
    recovery_of(board).restore_known_state(board, roles)
    board.history.add_action(KNOWN)
