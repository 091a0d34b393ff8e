"""What the programs of a Core (bootloader, DFU, application) ask their board to do, one step at a time.

A program is a generator of steps. The board gives each step its time: a power cut or a watchdog ends it anywhere.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from rig.twin.flash import Run


@dataclass(frozen=True, slots=True)
class Work:
    """Flash operations; a run of none is no step at all."""

    run: Run


@dataclass(frozen=True, slots=True)
class Delay:
    """Busy for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WhileModeHeld:
    """Wait for MODE to be released, at the longest `seconds`; answers whether it was released."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing more by itself: USB requests, lines and the watchdog go on."""


@dataclass(frozen=True, slots=True)
class Reset:
    """System reset by software."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Load the stack pointer found at `address` and go there."""

    address: int


Step = Work | Delay | WhileModeHeld | Idle | Reset | Jump
Program = Generator[Step, bool, None]
