"""The model on the machine's clock: it is left alone where nothing changed, and misses nothing."""

from __future__ import annotations

import asyncio
import math

import pytest

from rig.twin.real_time import RealTime
from tests.rig.families.spark_core.twin.models import core_in_memory
from tests.rig.waiting import HANGS


class Alarm:
    """A part beside a board that is due when it is set."""

    def __init__(self) -> None:
        self.at = math.inf
        self.rang = asyncio.Event()

    def due(self) -> float:
        return self.at

    def advance(self, now: float) -> None:
        if now >= self.at:
            self.at = math.inf
            self.rang.set()


@pytest.fixture
def looks(monkeypatch):
    """How often the clock looked."""
    seen = []
    look = RealTime._look
    monkeypatch.setattr(RealTime, "_look", lambda self: seen.append(1) or look(self))
    return seen


def test_a_part_beside_the_board_that_becomes_due_is_woken(tmp_path, looks):
    async def story():
        alarm = Alarm()
        time = RealTime(core_in_memory(), tmp_path, beside=[alarm])
        alarm.at = time.seconds() + 0.05
        time.board_changed()
        await time.looked()
        assert len(looks) == 1, "the clock does not know that it is due"
        await asyncio.wait_for(alarm.rang.wait(), HANGS)
        time.stop()

    asyncio.run(story())


def test_a_question_that_changes_nothing_leaves_the_clock_alone(tmp_path, looks):
    async def story():
        time = RealTime(core_in_memory(), tmp_path)
        time.now()
        await time.looked()
        before = len(looks)
        time.board_changed()
        await time.looked()
        assert (before, len(looks)) == (1, 1)
        time.stop()

    asyncio.run(story())
