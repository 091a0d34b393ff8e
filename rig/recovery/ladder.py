"""The rescue ladder of a Core: rungs in order, each with what it does and how it is seen to have worked.

self → power cycle → MODE and reflash → none. What runs after a rung is read back over DFU, not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rig.boards.spark_core import SparkCore
from rig.clock import look_for
from rig.drivers.usb_port import DFU, LISTENING
from rig.errors import DeviceFault
from rig.firmware.identify import Catalogue
from rig.firmware.manifest import OUTCOME_ROLES, Image
from rig.formats import spark_flash as layout

NO_IMAGE = "none"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a board became: the role of the image that ran by itself, and the rung that healed the board.

    `image` is old, new, previous, factory, other or none; `rung` is self, power-cycle, reflash or none.
    """

    image: str
    rung: str
    seconds: float
    seen: str

    @property
    def stranded(self) -> bool:
        """Alive, but it needed a hand or a cable."""
        return self.rung == "reflash"

    @property
    def dead(self) -> bool:
        """No rung healed it."""
        return self.rung == "none"

    @property
    def name(self) -> str:
        """Short, for tables: the image, or what became of the board."""
        if self.dead:
            return "dead"
        return "stranded" if self.stranded else self.image

    def told(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)


class RescueLadder:
    """Climbs a board that stands without power back to a running image.

    `roles` names the images the board may come back with; `golden` is what the last rung writes.
    """

    def __init__(self, board: SparkCore, roles: Mapping[str, Image], golden: Image):
        self._board = board
        images = {role: roles[role] for role in OUTCOME_ROLES if role in roles}
        self._roles = {image.sha256: role for role, image in images.items()}
        self._catalogue = Catalogue(images.values())
        self._golden = golden

    def climb(self, note: Callable[[str], None]) -> Outcome:
        """Start the board free and go up until it runs. It ends powered, in DFU or running."""
        board, began = self._board, self._board.clock.now()
        seen = []
        for rung, start in (("self", board.power_on), ("power-cycle", self._cycle)):
            start()
            sign = self._settle()
            seen.append(f"{rung}: {sign or 'silence'}")
            note(seen[-1])
            if sign == LISTENING:
                seconds = board.clock.now() - began
                return Outcome(self._what_runs(), rung, seconds, "; ".join(seen))
        try:
            self._reflash()
            healed = board.is_alive(board.timing.start)
        except DeviceFault as error:
            note(f"reflash: {error}")
            healed = False
        note(f"reflash: {'runs' if healed else 'does not run'}")
        seconds = board.clock.now() - began
        return Outcome(NO_IMAGE, "reflash" if healed else "none", seconds, "; ".join(seen))

    def _settle(self) -> str | None:
        """What the board shows once it stays with it: a watchdog may end a DFU that nobody asked for (C3)."""
        board = self._board
        sign = board.observe(board.timing.self_healing)
        if sign == DFU and look_for(
            lambda: board.identity() != DFU, seconds=board.timing.watchdog, clock=board.clock, every=0.05
        ):
            sign = LISTENING if board.is_alive(board.timing.self_healing) else board.identity()
        return sign

    def _cycle(self) -> None:
        self._board.power_off()
        self._board.power_on()

    def _what_runs(self) -> str:
        """Role of the image in the application area, read by the reader that changes nothing."""
        self._board.enter_dfu()
        with self._board.dfu() as host:
            image = self._catalogue.find(host.read(layout.APP_ADDRESS, layout.APP_SIZE))
        return self._roles[image.sha256] if image is not None else "other"

    def _reflash(self) -> None:
        self._board.enter_dfu()
        self._board.update(self._golden)
