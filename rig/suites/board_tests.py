"""What a board test is: one whose marker `board(kind, **tags)` says which board it runs on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rig.lab.wanted import Wanted

MARKER = "board"


def wanted_by(item: pytest.Item) -> Wanted | None:
    """The board that a test asks for; None for a test that is no board test."""
    marker = item.get_closest_marker(MARKER)
    if marker is None or len(marker.args) != 1 or not isinstance(marker.args[0], str):
        return None
    return marker.args[0], {tag: str(value) for tag, value in marker.kwargs.items()}


def board_tests(items: Iterable[pytest.Item]) -> list[tuple[pytest.Item, Wanted]]:
    """Those of `items` that are board tests, with what each asks for."""
    return [(item, wanted) for item in items if (wanted := wanted_by(item)) is not None]


def board_kinds(definition: pytest.Item) -> list[str]:
    """The kinds of board that a test function asks for, before its cases are made: its own marker's, or its cases'."""
    if own := wanted_by(definition):
        return [own[0]]
    return [
        mark.args[0]
        for parametrize in definition.iter_markers("parametrize")
        for case in (parametrize.args[1] if len(parametrize.args) > 1 else ())
        for mark in getattr(case, "marks", ())
        if mark.name == MARKER and mark.args
    ]
