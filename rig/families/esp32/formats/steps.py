"""What a second stage does, step by step, so that power can fail at any of them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from rig.families.esp32.formats.otadata import SECTOR


@dataclass(frozen=True, slots=True)
class Erase:
    """Erase the 4 KiB sector at this flash offset."""

    address: int


@dataclass(frozen=True, slots=True)
class Program:
    """Program these bytes at this flash offset."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Say:
    """Print a line; it begins with its level, I, W or E, and its tag, or is printed whatever the level."""

    line: str


@dataclass(frozen=True, slots=True)
class Hang:
    """Stand still until the RTC's watchdog resets the chip."""


Step = Erase | Program | Say | Hang
Steps = Generator[Step, None, None]


def perform(flash: bytearray, step: Erase | Program) -> None:
    """Do one operation whole: an erase sets bits, a program only clears them, beyond the end nothing happens."""
    start = step.address - step.address % SECTOR if isinstance(step, Erase) else step.address
    data = b"\xff" * SECTOR if isinstance(step, Erase) else step.data
    old = flash[start : start + len(data)]
    data = data[: len(old)]
    if isinstance(step, Program):
        data = bytes(before & after for before, after in zip(old, data, strict=True))
    flash[start : start + len(data)] = data
