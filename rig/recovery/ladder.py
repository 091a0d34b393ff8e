"""The rescue ladder of a Core: rungs in order, each with what it does, how long it may take and how one sees it worked.

self → wait → power-cycle → reset → reflash → factory-reset → none. A rung the place is not wired for is left out.
What runs after a rung is read back over DFU, not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rig.boards.spark_core import ALIVE, SparkCore
from rig.clock import look_for
from rig.drivers.usb_port import DFU, LISTENING
from rig.errors import DeviceFault
from rig.firmware.identify import Catalogue
from rig.firmware.manifest import OUTCOME_ROLES, Image
from rig.formats import spark_flash as layout

NO_IMAGE = "none"
NO_RUNG = "none"
#: Rungs that need a hand or a cable: power may come and go by itself, a finger on RST does not.
BY_HAND = ("reset", "reflash", "factory-reset")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a board became: the role of the image that ran without a hand, and the rung that healed the board.

    `image` is old, new, previous, factory, other or none; `rung` is self, wait, power-cycle, reset, reflash,
    factory-reset or none; `seconds` from the free start to the healed board.
    """

    image: str
    rung: str
    seconds: float
    seen: str

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

    def told(self) -> dict[str, Any]:
        """For the ledger."""
        return {**asdict(self), "became": self.name}


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to bring a board back: `act`, then an application must show itself within `seconds`."""

    name: str
    act: Callable[[], None]
    seconds: float


class RescueLadder:
    """Climbs a board that stands without power back to a running image.

    `roles` names the images the board may come back with; `golden` is what reflashing writes.
    """

    def __init__(self, board: SparkCore, roles: Mapping[str, Image], golden: Image):
        self._board = board
        images = {role: roles[role] for role in OUTCOME_ROLES if role in roles}
        self._roles = {image.sha256: role for role, image in images.items()}
        self._catalogue = Catalogue(images.values())
        self._golden = golden
        self._started = 0.0

    def rungs(self) -> Iterator[Rung]:
        """The rungs this place has, lowest first."""
        board, timing = self._board, self._board.timing
        yield Rung("self", board.power_on, timing.by_itself)
        yield Rung("wait", lambda: None, timing.self_healing)
        yield Rung("power-cycle", self._cycle, timing.self_healing)
        if board.has_reset:
            yield Rung("reset", board.press_reset, timing.self_healing)
        if board.has_mode:
            yield Rung("reflash", self._reflash, timing.start)
            yield Rung("factory-reset", board.factory_reset, timing.factory_reset)

    def climb(self, note: Callable[[str], None]) -> Outcome:
        """Start the board free and go up until it runs. It ends powered, in DFU or running."""
        board, seen, sign = self._board, [], None
        began = self._started = board.clock.now()
        for rung in self.rungs():
            if rung.name == "wait" and sign == DFU:
                continue  # it stays in DFU: nothing changes by waiting
            if rung.name != "wait":
                self._started = board.clock.now()
            try:
                rung.act()
                sign = self._settle(rung.seconds)
            except DeviceFault as error:
                sign = error.message
            seen.append(f"{rung.name}: {sign or 'silence'}")
            note(seen[-1])
            if sign in ALIVE:
                seconds = board.clock.now() - began
                image = NO_IMAGE if rung.name in BY_HAND else self._what_runs()
                return Outcome(image, rung.name, seconds, "; ".join(seen))
        return Outcome(NO_IMAGE, NO_RUNG, board.clock.now() - began, "; ".join(seen))

    def _settle(self, seconds: float) -> str | None:
        """What the board shows once it stays with it: a watchdog may end a DFU that nobody asked for (C3).

        One that shows itself sooner than any watchdog can bite comes from a start that has not started one.
        """
        board = self._board
        sign = board.observe(seconds)
        if sign != DFU or board.clock.now() - self._started < board.timing.watchdog_soonest:
            return sign
        left = look_for(
            lambda: board.identity() != DFU, seconds=board.timing.watchdog, clock=board.clock, every=0.05
        )  # fmt: skip
        if left:
            sign = LISTENING if board.is_alive(board.timing.self_healing) else board.identity()
        return sign

    def _cycle(self) -> None:
        self._board.power_off()
        self._board.power_on()

    def _what_runs(self) -> str:
        """Role of the image in the application area, read by the reader that changes nothing."""
        if not self._board.has_mode:
            return "other"
        self._board.enter_dfu()
        with self._board.dfu() as host:
            image = self._catalogue.find(host.read(layout.APP_ADDRESS, layout.APP_SIZE))
        return self._roles[image.sha256] if image is not None else "other"

    def _reflash(self) -> None:
        self._board.enter_dfu()
        self._board.update(self._golden)
