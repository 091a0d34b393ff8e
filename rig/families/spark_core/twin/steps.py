"""The steps that only a Core's programs (bootloader, DFU, application) know, and what they may touch on their board."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rig.families.spark_core.twin.memory import CoreMemory
from rig.twin.steps import Step, Timer

if TYPE_CHECKING:
    from rig.families.spark_core.twin.app.dialect import Dialect
    from rig.families.spark_core.twin.app.user_code import UserCode
    from rig.families.spark_core.twin.console import Console
    from rig.families.spark_core.twin.radio import Radio
    from rig.families.spark_core.twin.usb_function import UsbFunction

#: From reset until the bootloader has looked at its flags.
START_SECONDS = 0.02
#: What the bootloader sets: 781 counts of 6.4 ms, at an LSI of 40 kHz.
WATCHDOG_MS = 4998.4
#: What DR1 holds while nothing is wrong with the application.
HEALTHY = 0xFFFF


@dataclass(frozen=True, slots=True)
class WhileModeHeld(Timer):
    """Wait for MODE to be released, at the longest `seconds`; answers whether it was released."""


@dataclass(frozen=True, slots=True)
class Jump(Step):
    """Load the stack pointer found at `address` and go there, with the watchdog running where `watchdog_ms` says so.

    A bootloader that goes there `at_once` no longer needs a stack once it has loaded that pointer; one that does not
    starts the watchdog in between, and faults where the pointer leads nowhere.
    """

    address: int
    watchdog_ms: float | None = None
    at_once: bool = False


class Board(Protocol):
    """What a program sees of the board it runs on."""

    memory: CoreMemory
    uid: bytes
    #: Backup registers by number.
    dr: MutableMapping[int, int]
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
