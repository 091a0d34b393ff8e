"""What any board in a place can do, whichever kind it is: enough to cut its power and to see what that did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rig.boards.history import History
from rig.boards.wiring import Buttons, Relay
from rig.clock import Clock, wait_for
from rig.drivers.progress import Progress, Watcher
from rig.errors import LabFault
from rig.evidence.testbed import UNKNOWN, VIRTUAL_TIERS
from rig.firmware.manifest import BoardKind, Manifest

if TYPE_CHECKING:
    from rig.drivers.console import ConsoleRecorder

#: Stretches of flash by address: what is there.
Contents = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class MissingServer:
    """The server that a board in a network needs and its place has not; `hint` says how one gets there."""

    server: str
    hint: str


class Switched(Protocol):
    """What has a supply that is switched, and buttons."""

    relay: Relay
    buttons: Buttons

    def power_on(self) -> None:
        """Give the supply back. Whether the board starts is for the caller to see."""

    def power_off(self) -> None:
        """Take the supply away, and see that the board is gone. Raises LabFault when it is not."""


class Board(Switched, Protocol):
    """A board under test."""

    name: str
    tags: dict[str, str]
    clock: Clock
    #: What was done to it, and what it showed.
    history: History
    #: Whether flash holds the known state and the board waits in its readback mode.
    known: bool
    #: Sha256 of the images of its known state, by role: other images make another state.
    known_images: dict[str, str]

    @property
    def kind(self) -> BoardKind:
        """What it is."""

    @property
    def console(self) -> ConsoleRecorder | None:
        """What it says; None where its place exports no console."""

    @property
    def sign_source(self) -> str:
        """Where its signs are seen, in words."""

    def compare_with_manifest(self, known: Manifest, say: Callable[[str], object]) -> None:
        """From now on compare with the place's tags what only a manifest tells, too; `say` hears what nothing tells.

        A board is asked when it is first talked to, and raises Misdescribed then.
        """

    @classmethod
    def from_target(cls, target: Any) -> Board:
        """The board behind a labgrid target, with its drivers. Raises Misuse, Misdescribed."""

    def missing_server(self) -> MissingServer | None:
        """What its place lacks for a board in a network; None where it lacks nothing."""

    def clear_servers(self) -> None:
        """Let its servers do nothing special for it any more: offers, faults and identities are gone."""

    @property
    def is_seen_as_twin(self) -> bool:
        """Whether what serves its USB or serial port has said that it is a twin; False says nothing."""

    def observe(self, seconds: float) -> str | None:
        """The first sign within `seconds`; None for silence."""

    def is_alive(self, seconds: float) -> bool:
        """Whether an application shows itself within `seconds`."""

    def verify_off(self) -> None:
        """See by two signs that know nothing of each other that the board is without power. Raises LabFault."""

    def hung_since(self, since_ns: int) -> bool:
        """Whether what shows its signs was seen to hang after a moment (monotonic), and so its silence says nothing."""

    def enter_readback_mode(self) -> None:
        """Power-cycle into the mode in which flash is only read. Raises LabFault, DeviceFault, Misuse."""

    def read_flash(self, stretches: Sequence[tuple[int, int]]) -> Contents:
        """Address and length of each stretch: what is there. The board must be in its readback mode."""


def tier_of(board: Board) -> str:
    """What reports call a board's tier: as its place says, but no twin that was seen is more than one."""
    tier = board.tags.get("tier", UNKNOWN)
    return VIRTUAL_TIERS[0] if board.is_seen_as_twin and tier not in VIRTUAL_TIERS else tier


def verify_off(board: Board, is_silent: Callable[[], bool], *, seconds: float, reason: str) -> None:
    """See by the relay and by another sign, which know nothing of each other, that a board is without power.

    `reason` says what its silence is waited for. Raises LabFault when there is none within `seconds`.
    """
    if board.relay.get():
        raise LabFault("the relay reads back as closed after it was opened", board=board.name, hint="a sticky relay?")
    wait_for(is_silent, seconds=seconds, reason=reason, clock=board.clock, board=board.name)


def supply_power(board: Switched) -> None:
    """Give a board its supply. Nobody does it otherwise: every button is let go of first that nobody here holds.

    One that was left pressed makes something else of a start: a factory reset, or nothing at all.
    """
    board.buttons.release()
    board.relay.on()


def restart(board: Board) -> None:
    """Start a board anew, whatever state it stands in. It gets its supply back even where it did not seem to lose it.

    Raises LabFault.
    """
    try:
        board.power_off()
    finally:
        supply_power(board)


def release_buttons(board: Board) -> None:
    """Let go of every button. A board that stands with one pressed loses its supply first: it must not go on from it.

    Raises LabFault.
    """
    if board.buttons.left_pressed():
        board.power_off()
    board.buttons.release()


def power_cycle(board: Switched, watch: Watcher) -> None:
    """Take the supply away and give it back; tells `watch` of the power-on."""
    board.power_off()
    board.power_on()
    watch(Progress("power-on", 0, 1, 1))
