"""What a place's tags must say of its board: seen when it is acquired, and by `rig lab health`.

A mistake is told with what mends it. Whether the board is the one they name is for the board to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rig import registry
from rig.boards.timing import number_of
from rig.errors import Misdescribed
from rig.family.contract import family_of
from rig.family.tags import WIRED, YES_OR_NO, Choice, Number, Tag, TagRule

if TYPE_CHECKING:
    from rig.boards.board import Board

COMMON: tuple[TagRule, ...] = (
    Tag("seed", str.isdecimal, "1", source="whoever wants a run again"),
    Number("relay_ms", "10"),
    Number("timing_scale", "1"),
    Choice("timing", ("real", "scaled"), rare=("real",)),
    Choice("feeds", ("all", "some")),
    Choice("reset", WIRED),
    Choice("wifi", ("none", "joined")),
    Choice("expendable", YES_OR_NO),
    Choice("synthetic", YES_OR_NO),
    Choice("health", ("ok", "quarantine")),
)


def check_tags(board: Board) -> None:
    """See that a board's place says what tests need to know. Raises Misdescribed for the first that is not so."""
    for fault in tag_faults(board.name, board.kind, board.tags):
        raise fault
    missing = board.missing_server()
    if missing is not None and board.tags.get("wifi") == "joined":
        hint = f"{missing.hint}; without one {_client(board.name)} wifi=none`"
        raise Misdescribed(f"its place says wifi=joined, and has no {missing.server}", board=board.name, hint=hint)


def tag_faults(place: str, kind: str, tags: Mapping[str, str]) -> Iterator[Misdescribed]:
    """What is missing or malformed among a place's tags, each with the line that mends it."""
    for tag in tag_rules(kind).values():
        value = tags.get(tag.name)
        needed = tag.always or (tag.joined and tags.get("wifi") == "joined")
        if (value is None and needed) or (value is not None and not tag.is_well_formed(value)):
            wrong = f"its place has no tag {tag.name}" if value is None else f"the tag {tag.name}={value} is malformed"
            yield Misdescribed(wrong, board=place, hint=f"{_client(place)} {tag.name}={tag.hint}")


def check_lacking(kind: str, wanted: Mapping[str, str], places: Mapping[str, Mapping[str, str]]) -> None:
    """For tags that no place has: see that none of `places` lacks them only because they are malformed there.

    Nobody knows whether its board is one that is wanted, so to leave a test out would hide a mistake. Raises
    Misdescribed for the first such place.
    """
    by_name = tag_rules(kind)
    for place, tags in sorted(places.items()):
        lacking = [name for name, value in {"board": kind, **wanted}.items() if tags.get(name) != value]
        values = [(by_name.get(name), tags.get(name)) for name in lacking]
        if values and all(tag is not None and text and not tag.is_well_formed(text) for tag, text in values):
            raise next(fault for fault in tag_faults(place, kind, tags) if f" {lacking[0]}=" in fault.message)


def pace_of(tags: Mapping[str, str]) -> float:
    """How slow a place's board is, for choosing among some; what its tag says wrong is told when it is acquired."""
    try:
        return number_of(tags, "timing_scale", "1") or 1.0
    except Misdescribed:
        return 1.0


def _client(place: str) -> str:
    return f"`labgrid-client -p {place} set-tags"


def tag_rules(kind: str) -> dict[str, TagRule]:
    """What tags of places with boards of a kind may say, by their names: its family's rule is before the common one."""
    own = family_of(kind).place.rules if registry.is_kind(kind) else ()
    return {tag.name: tag for tag in (*COMMON, *own)}
