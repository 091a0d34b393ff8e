"""What any board's programs ask their board to do. A program is a generator of steps.

The board gives each step its time: a power cut, a reset or a watchdog ends it anywhere. A kind of board adds steps of
its own.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from rig.twin.flash import Run


@dataclass(frozen=True, slots=True)
class Step:
    """Something that takes time."""


@dataclass(frozen=True, slots=True)
class Work(Step):
    """Flash operations; a run of none is no step at all."""

    run: Run


@dataclass(frozen=True, slots=True)
class Delay(Step):
    """Busy for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Timer(Step):
    """Wait for one of the board's own timers."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen(Step):
    """Wait for something from outside (network, console, a button), at the longest `seconds` that nothing scales."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Idle(Step):
    """Nothing more by itself: requests from outside, lines and the watchdog go on."""


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """System reset by software."""


#: Some steps are answered; what a program returns is for who runs it within another.
Program = Generator[Step, Any, None]
