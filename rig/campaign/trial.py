"""What one may try on a board and cut.

A trial says what to prepare, what to start, which flash shows how far it came, and reads the landing off that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeVar

from rig.boards.board import Board, Contents
from rig.drivers.dfu_host import EraseOrder, Watcher
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.power.trigger import Aim

B_contra = TypeVar("B_contra", bound=Board, contravariant=True)


class Trial(Protocol[B_contra]):
    """What to try, and where to cut it."""

    #: How the image gets in, for the ledger.
    path: ClassVar[str]
    #: Stretches of flash that tell the landing.
    shown_by: ClassVar[tuple[tuple[int, int], ...]]

    @property
    def target(self) -> Image:
        """What is to be brought in."""

    @property
    def aim(self) -> Aim:
        """Where it is cut."""

    @property
    def order(self) -> EraseOrder:
        """When pages are erased."""

    @property
    def roles(self) -> Mapping[str, Image]:
        """Images the board may come back with beyond those of the bench."""

    def prepare(self, board: B_contra) -> None:
        """Make ready a board that is in its known state; it stays in DFU."""

    def start(self, board: B_contra, watch: Watcher) -> None:
        """Do what is cut, telling `watch`. Raises LabFault when the board is gone."""

    def locate(self, before: Contents, after: Contents) -> Landing:
        """Read the landing off what flash held before and what the cut left."""
