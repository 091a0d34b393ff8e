"""What whoever updates a board tells meanwhile: which piece of it has just begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing the device has just begun (or, in `read`, given): `phase` is erase, program, commit or read.

    `done` of `total` counts it in: pages in erase, bytes in program and read, 1 of 1 in commit.
    """

    phase: str
    address: int
    done: int
    total: int


Watcher = Callable[[Progress], None]


def ignore_progress(_progress: Progress) -> None:
    """Watches nothing."""
