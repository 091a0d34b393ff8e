"""What one may try on a board and cut.

A trial says what to prepare, what to start, which flash shows how far it came, and reads the landing off that.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar, Protocol, TypeVar

from rig.boards.board import Board, Contents
from rig.drivers.progress import Watcher
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.power.trigger import Aim

B_contra = TypeVar("B_contra", bound=Board, contravariant=True)


class Trial(Protocol[B_contra]):
    """What to try, and where to cut it."""

    #: How the image gets in, for the ledger.
    path: ClassVar[str]

    @property
    def landing_stretches(self) -> tuple[tuple[int, int], ...]:
        """Stretches of flash that tell the landing, by address and length; the first begins where the image goes."""

    @property
    def target(self) -> Image:
        """What is to be brought in."""

    @property
    def aim(self) -> Aim:
        """Where it is cut."""

    @property
    def order(self) -> Enum:
        """When pages are erased: the ledger has its value."""

    @property
    def roles(self) -> Mapping[str, Image]:
        """Images the board may come back with beyond those of the bench."""

    def prepare(self, board: B_contra) -> None:
        """Make ready a board that is in its known state; it stays in its readback mode."""

    def start(self, board: B_contra, watch: Watcher) -> None:
        """Do what is cut, telling `watch`. Raises LabFault when the board is gone."""

    def locate(self, before: Contents, after: Contents) -> Landing:
        """Read the landing off what flash held before and what the cut left."""
