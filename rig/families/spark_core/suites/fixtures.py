"""The Core of a test in its cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rig.campaign.bench import Bench
    from rig.families.spark_core.boards.online import Online


@pytest.fixture
def online(bench: Bench[Any]) -> Iterator[Online]:
    """The bench's board in its cloud, from its known state; without a cloud the test is not run here."""
    from rig.families.spark_core.boards.board import require_core

    board = require_core(bench.board)
    if board.online is None:
        pytest.skip(f"not run here: {board.name} has no cloud")

    def note(result: dict[str, Any]) -> None:
        bench.ledger.append("update", {"place": board.name, **result})

    board.online.on_update = note
    board.start()
    board.go_online()
    yield board.online
    board.online.on_update = lambda _result: None
