"""Which tests share a worker: those that ask for the same rare board, so that no worker waits for another's.

Tests that ask for no board share one file by file, and with it what the file's fixtures start.

pytest-xdist's own groups are a suffix of the test's id, which pytest 9.2 no longer lets it set; here the first worker
that has collected writes the groups beside the report, and the controller's scheduler reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Tags of which racks have few boards.
RARE_TAGS = {"timing": {"real"}, "revision": {"black"}, "locked": {"no"}, "wifi": {"joined"}, "bridge": {"board"}}


def rare(tags: Mapping[str, str]) -> str:
    """The rare ones among `tags`, with the generation, as one text; empty for what there is one of for each worker."""
    found = [f"{tag}={tags[tag]}" for tag, values in RARE_TAGS.items() if tags.get(tag) in values]
    return ",".join([*found, tags.get("generation", "")]) if found else ""


def rare_board(item: pytest.Item) -> str:
    """The rare board a test asks for; empty for none."""
    marker = item.get_closest_marker("board")
    return rare(marker.kwargs) if marker else ""


def slowness(item: pytest.Item) -> tuple[bool, bool, bool]:
    """How slow a test is likely to be: on boards of real timing, of a group that waits for one board, with trials."""
    board = rare_board(item)
    trials = {"cut", "swap"} & set(getattr(item, "fixturenames", ()))
    return "timing=real" in board, bool(board), bool(trials)


def _group(item: pytest.Item) -> str:
    return rare_board(item) if item.get_closest_marker("board") else item.nodeid.partition("::")[0]


def board_kinds(definition: pytest.Item) -> list[str]:
    """The kinds of board a test's own marker asks for, or those of its cases."""
    own = definition.get_closest_marker("board")
    cases = [
        mark
        for parametrize in definition.iter_markers("parametrize")
        for case in parametrize.args[1]
        for mark in getattr(case, "marks", ())
        if mark.name == "board"
    ]
    return [marker.args[0] for marker in ([own] if own else cases) if marker.args]


def _groups_file(folder: str) -> Path:
    return Path(folder) / "groups.json"


def write_groups(folder: str, items: list[pytest.Item]) -> None:
    """Tell the controller which tests belong together; every worker tells the same."""
    groups = {item.nodeid: group for item in items if (group := _group(item))}
    path = _groups_file(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_suffix(f".{os.getpid()}")
    own.write_text(json.dumps(groups))
    own.replace(path)


class BoardScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out each group whole, and all other tests one by one."""

    def __init__(self, config: pytest.Config, log: Any, folder: str):
        config.option.loadscopereorder = False  # xdist would put the largest groups first; ours are sorted by time
        super().__init__(config, log)
        self._file = _groups_file(folder)
        self._groups: dict[str, str] | None = None

    def _split_scope(self, nodeid: str) -> str:
        if self._groups is None:
            self._groups = json.loads(self._file.read_text())
            self._file.unlink()
        return self._groups.get(nodeid, nodeid)

    def _reschedule(self, node: Any) -> None:
        """Give a worker more only when one test is left of what it has: more than that would wait behind a long group.

        It needs to know the next test before it begins the last one.
        """
        if self._pending_of(self.assigned_work[node]) > 1 and self.workqueue:
            return
        super()._reschedule(node)
