"""What a family tells of bring-up: how blank boards of its kind become known ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rig.firmware.manifest import Image, Manifest


@dataclass(frozen=True, slots=True)
class BringUpOptions:
    """What people ask of a bring-up, as they typed it; None is what the manifest says, or what the board has."""

    #: Name of the image to install.
    release: str | None = None
    #: Name or address of the server that the board talks to, and the file of that server's public key.
    server: str | None = None
    server_key: Path | None = None
    #: Whether a board that has a key gets another one.
    new_key: bool = False


class Recipe(Protocol):
    """What boards of a kind are to become. It goes to other processes."""

    @property
    def images(self) -> tuple[Image, ...]:
        """What is written to a board: the rig's own noise goes to twins only."""


class BroughtUp(Protocol):
    """What a board is now: a dataclass, whose fields scripts are told."""

    @property
    def serial(self) -> str:
        """What people tell it by; its public key is kept in a file of this name."""

    @property
    def public_key(self) -> str:
        """PEM of the key that it holds; empty for none."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of its place that are known by now."""

    @property
    def cells(self) -> Mapping[str, str]:
        """What a table says of it, by column."""


class BringUp(Protocol):
    """How blank boards of a kind become known ones."""

    #: Columns of the table of boards that were brought up.
    columns: tuple[str, ...]

    def recipe(self, known: Manifest, options: BringUpOptions) -> Recipe:
        """What the boards are to become. Raises Misuse for what cannot be, before any board is touched."""

    def run(self, board: Any, recipe: Any, known: Manifest, note: Callable[[str], None]) -> BroughtUp:
        """Make a board known, telling `note` each step; it ends running. Raises DeviceFault, LabFault, Misuse."""
