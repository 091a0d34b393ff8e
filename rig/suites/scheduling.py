"""Which tests share a worker: those that ask for the same rare board, so that no worker waits for another's.

Tests beside them that ask for no board share one file by file, and with it what the file's fixtures start.

pytest-xdist's own groups are a suffix of the test's id, which pytest 9.2 no longer lets it set; here workers tell the
groups (rig.suites.handover). Where nobody has told any, tests are scheduled as pytest-xdist does it.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

from rig.lab.wanted import rare
from rig.suites.board_tests import wanted_by
from rig.suites.handover import Handover


def rare_board(item: pytest.Item) -> str:
    """The rare board a test asks for; empty for none."""
    wanted = wanted_by(item)
    return rare(*wanted) if wanted else ""


def slowness(item: pytest.Item) -> tuple[bool, bool, bool]:
    """How slow a test is likely to be: on boards of real timing, of a group that waits for one board, with trials."""
    board = rare_board(item)
    trials = {"cut", "swap"} & set(getattr(item, "fixturenames", ()))
    return "timing=real" in board, bool(board), bool(trials)


def group_of(item: pytest.Item) -> str:
    """The name of those that share a worker with this test; empty for a test that goes alone."""
    return rare_board(item) if wanted_by(item) else item.nodeid.partition("::")[0]


class BoardScheduling(LoadGroupScheduling):  # type: ignore[misc]
    """Hands out each group whole, and all other tests one by one."""

    def __init__(self, config: pytest.Config, log: Any, handover: Handover):
        super().__init__(config, log)
        self._handover = handover
        self._groups: dict[str, str] | None = None

    def schedule(self) -> None:
        """xdist would put the largest groups first; ours are sorted by time."""
        if self._groups is None and (found := self._handover.collected()) is not None:
            self._groups = found.groups
            self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope if self._groups is None else self._groups.get(nodeid, nodeid)

    def _reschedule(self, node: Any) -> None:
        """Give a worker more only when one test is left of what it has: more than that would wait behind a long group.

        It needs to know the next test before it begins the last one.
        """
        if self._groups is not None and self._pending_of(self.assigned_work[node]) > 1 and self.workqueue:
            return
        super()._reschedule(node)
