"""What a board family gives the rig. A family is one folder with an object like this, named by an entry point.

Every member but the first two is loaded when it is asked for: import what it needs inside its property.
`rig/families/README.md` adds a board step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from rig import registry

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.campaign.campaign import Campaign
    from rig.evidence.update_path import UpdatePath
    from rig.family.bring_up import BringUp
    from rig.family.place import PlaceDescription
    from rig.family.rack_slot import Slot
    from rig.family.suites import Suites
    from rig.family.verb import Verb
    from rig.firmware.image_rules import ImageRules
    from rig.recovery.rescue import Recovery


class BoardFamily(Protocol):
    """One kind of board."""

    #: What it is called in manifests, markers, tags and commands, in small letters.
    kind: str
    #: What people call one.
    title: str

    @property
    def images(self) -> ImageRules[Any]:
        """What its firmware is: how a file is recognised, what manifests may say of it, what is wrong with one."""

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """What its cut maps are drawn on: by path, the phases in order. A path without a map may be left out."""

    @property
    def board(self) -> type[Board]:
        """The board; its `from_target` makes one of a labgrid target."""

    @property
    def recovery(self) -> Recovery:
        """How a board is brought back, and to the state that every trial starts from."""

    @property
    def campaign(self) -> Campaign:
        """The trial that shows a board to be healthy, and where scenarios of servers' identities are played."""

    @property
    def place(self) -> PlaceDescription:
        """What tags of its places say, and a place as an example that a lab fills in."""

    @property
    def slot(self) -> type[Slot]:
        """Its board on a virtual rack; its `of` makes one from a time scale and tags."""

    @property
    def bring_up(self) -> BringUp | None:
        """How blank boards become known ones; None where there is nothing to do."""

    @property
    def suites(self) -> Suites:
        """What its suites use: the words of expectations, and fixtures of their own."""

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Verbs of the `rig` command that it brings. They are loaded whenever the command starts, so they are light."""


def family_of(kind: str) -> BoardFamily:
    """The family of boards of a kind. Raises Misuse for one that nobody knows, LabFault for one that does not load."""
    return cast(BoardFamily, registry.family(kind))


def families() -> list[BoardFamily]:
    """All that are installed, in order of their kinds."""
    return [family_of(kind) for kind in registry.kinds()]


def is_ours(tags: Mapping[str, str]) -> bool:
    """Whether a place has a board of a kind that we know: others share a coordinator, and its boards are theirs."""
    return registry.is_kind(tags.get("board"))


def is_foreign(tags: Mapping[str, str]) -> bool:
    """Whether a place names a kind of board, and none that we know: another's, or one that is mistyped."""
    return bool(tags.get("board")) and not is_ours(tags)
