"""What a test tells of itself for its report: the place it had, the firmware it used, and what happened when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rig.evidence.coverage import MISSING
from rig.evidence.results import short_identity
from rig.evidence.time_spent import PROPERTY, TimeSpent

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.evidence.timeline import Timeline
    from rig.firmware.manifest import Image

FIRMWARE = "firmware"
_SPENT = pytest.StashKey[TimeSpent]()
#: Roles of the images that are on a board whatever a test does with it.
LAID = ("old", "previous", "factory", "bootloader", "table")


def property_recorder(node: pytest.Item) -> Callable[[str, object], None]:
    """What notes a property of a test: pytest's own `record_property` warns whoever asks for JUnit files of it."""
    return lambda name, value: node.user_properties.append((name, value))


def note_place(node: pytest.Item, board: Board) -> None:
    """Note the board that a test has, and its tier: as far as it is known, so once more when it was talked to."""
    from rig.boards.board import tier_of

    tier = tier_of(board)
    values = {"place": board.name, "board": board.kind, "tier": tier}
    node.user_properties[:] = [*(known for known in node.user_properties if known[0] not in values), *values.items()]


def false_tier(board: Board) -> str:
    """What to say where a place claims a real board and a twin was seen; nothing where it does not."""
    from rig.boards.board import tier_of

    tagged, seen = board.tags.get("tier"), tier_of(board)
    if tagged in (None, seen):
        return ""
    mends = f"`labgrid-client -p {board.name} set-tags tier={seen}`"
    return f"{board.name}: its place says tier={tagged}, and a twin answers there: reports say {seen} (hint: {mends})"


def begin_time_spent(node: pytest.Item) -> TimeSpent:
    """Measure anew what a test's time is spent on: a second attempt has nothing of the first."""
    spent = node.stash[_SPENT] = TimeSpent()
    return spent


def time_spent_of(node: pytest.Item) -> TimeSpent:
    """What a test's time was spent on until now."""
    return node.stash.setdefault(_SPENT, TimeSpent())


def note_time_spent(node: pytest.Item) -> None:
    """Note what a test's time was spent on until now."""
    others = [(name, value) for name, value in node.user_properties if name != PROPERTY]
    node.user_properties[:] = [*others, (PROPERTY, str(time_spent_of(node)))]


def note_missing(node: pytest.Item, tags: Iterable[str]) -> None:
    """Note what the most fitting place lacks for a test, as `tag=value`."""
    node.user_properties.append((MISSING, " ".join(tags)))


def note_roles(node: pytest.Item, roles: Mapping[str, Image]) -> None:
    """Note what a board is laid with before a test begins."""
    note_firmware(node, [roles[role] for role in LAID if role in roles])


def note_firmware(node: pytest.Item, images: Iterable[Image]) -> None:
    """Note images that a test uses, each once, as one property with their identities."""
    former = next((value for name, value in node.user_properties if name == FIRMWARE), "")
    known = dict.fromkeys([*str(former).split(), *(short_identity(image.name, image.sha256) for image in images)])
    others = [(name, value) for name, value in node.user_properties if name != FIRMWARE]
    node.user_properties[:] = [*others, (FIRMWARE, " ".join(known))]


def keep_timeline(timeline: Timeline, report: Path, nodeid: str) -> None:
    """Put a test's timeline into its run's report folder and into Allure; that of a test without a trial is empty."""
    from rig.evidence.allure_bridge import attach_timeline
    from rig.evidence.timeline import file_name

    if timeline.moments:
        attach_timeline(timeline)
        timeline.write(report / "timelines" / f"{file_name(nodeid)}.jsonl")
