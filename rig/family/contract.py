"""What a board family gives the rig. A family is one folder with an object like this, named by an entry point.

Every member but the first two is loaded when it is asked for: import what it needs inside its property.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast

from rig import registry

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.evidence.update_path import UpdatePath
    from rig.family.bring_up import BringUp
    from rig.family.example import PlaceExample
    from rig.family.slot import Slot
    from rig.family.tags import TagRule
    from rig.family.verb import Verb
    from rig.firmware.cases import KnownCases
    from rig.firmware.image_rules import ImageRules
    from rig.firmware.manifest import Image
    from rig.recovery.rung import Rescue


class BoardFamily(Protocol):
    """One kind of board."""

    #: What it is called in manifests, markers, tags and commands, in small letters.
    kind: str
    #: What people call one.
    title: str

    @property
    def board(self) -> type[Board]:
        """The board; its `from_target` makes one of a labgrid target."""

    @property
    def images(self) -> ImageRules[Any]:
        """What its firmware is: how a file is told, what the manifest may say of it, and what is wrong with one."""

    @property
    def tags(self) -> tuple[TagRule, ...]:
        """What tags of its places may say, beside those of every place."""

    def rescue(self, board: Any, roles: Mapping[str, Image], golden: Image) -> Rescue:
        """How a board is brought back: its rungs; `golden` is what reflashing writes."""

    def make_known(self, board: Any, roles: Mapping[str, Image]) -> None:
        """Bring a board to the state that every trial starts from. Raises DeviceFault where it cannot be."""

    def control_trial(self, roles: Mapping[str, Image]) -> Any:
        """An update to what the board has already, cut on the way: it shows that cuts work here."""

    def stage(
        self, board: Any, roles: Mapping[str, Image], cast: Callable[[str], Mapping[str, Image]]
    ) -> AbstractContextManager[Any]:
        """Where scenarios of servers' identities are played on a board: a rig.campaign.swap.Stage, as a context.

        `cast` tells the roles of another cast of the manifest. Raises CannotPlay where the manifest lacks one.
        """

    @property
    def cases(self) -> KnownCases:
        """What something may be expected of, by update path: phases of cuts, and what suites name."""

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """What its cut maps are drawn on: by path, the phases in order. A path without a map may be left out."""

    @property
    def slot(self) -> type[Slot]:
        """Its board on a virtual rack; its `of` makes one of a time scale and tags."""

    @property
    def fixtures(self) -> str | None:
        """The module of pytest fixtures that only its suites use; None for none."""

    @property
    def example(self) -> PlaceExample:
        """Its place in the files that a lab starts from."""

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Verbs of the `rig` command that it brings. They are loaded whenever the command starts, so they are light."""

    @property
    def bring_up(self) -> BringUp | None:
        """How blank boards become known ones; None where there is nothing to do."""


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
