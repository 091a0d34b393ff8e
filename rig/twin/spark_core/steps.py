"""What the programs of a Core (bootloader, DFU, application) ask their board to do, and what they may touch on it.

A program is a generator of steps. The board gives each step its time: a power cut or a watchdog ends it anywhere.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rig.twin.flash import Run
from rig.twin.spark_core.memory import CoreMemory

if TYPE_CHECKING:
    from rig.twin.spark_core.app.console import Console
    from rig.twin.spark_core.app.dialect import Dialect
    from rig.twin.spark_core.app.user_code import UserCode
    from rig.twin.spark_core.radio import Radio
    from rig.twin.spark_core.usb_function import UsbFunction

#: From reset until the bootloader has looked at its flags.
START_SECONDS = 0.02
#: What the bootloader sets: 781 counts of 6.4 ms, at an LSI of 40 kHz.
WATCHDOG_MS = 4998.4


@dataclass(frozen=True, slots=True)
class Work:
    """Flash operations; a run of none is no step at all."""

    run: Run


@dataclass(frozen=True, slots=True)
class Delay:
    """Busy for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Timer:
    """Wait for one of the board's own timers."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WhileModeHeld:
    """Wait for MODE to be released, at the longest `seconds`; answers whether it was released."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for something from outside (network, console, a button), at the longest `seconds` that nothing scales."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing more by itself: USB requests, lines and the watchdog go on."""


@dataclass(frozen=True, slots=True)
class Reset:
    """System reset by software."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Load the stack pointer found at `address` and go there, with the watchdog running where `watchdog_ms` says so."""

    address: int
    watchdog_ms: float | None = None


Step = Work | Delay | Timer | WhileModeHeld | Listen | Idle | Reset | Jump
Program = Generator[Step, bool, None]


class Board(Protocol):
    """What a program sees of the board it runs on."""

    memory: CoreMemory
    uid: bytes
    #: Backup registers by number.
    dr: dict[int, int]
    #: Reset causes that nobody has cleared.
    causes: set[str]
    mode_held: bool
    #: Seconds, the model's.
    time: float
    radio: Radio
    console: Console
    #: What the application offers and which firmware it speaks as, where that is not the image's own.
    user_code: UserCode | None
    dialect: Dialect | None
    #: Whether somebody held MODE for so long that the running application is to listen for credentials.
    listening_wanted: bool
    #: Whether option bytes protect the bootloader's pages, as on factory units.
    locked: bool

    def event(self, name: str) -> None:
        """Note something worth seeing."""

    def light(self, colour: str, toggle_seconds: float) -> None:
        """Change the RGB LED: colour and the time between toggles, 0 for steady."""

    def attach(self, function: UsbFunction) -> None:
        """Show the host a device."""

    def detach(self) -> None:
        """Take the device away from the host."""

    def feed_watchdog(self, seconds: float | None) -> None:
        """Let the watchdog bite in `seconds`, or never again (None: the running program feeds it on time)."""
