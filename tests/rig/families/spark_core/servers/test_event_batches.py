"""What the Spark cloud's control port tells together: chunks in quick succession, and nothing else."""

from __future__ import annotations

import asyncio

from rig.families.spark_core.servers import batches
from rig.families.spark_core.servers.batches import Batches
from tests.rig.families.spark_core.twin.virtual_cloud import VirtualLoop

#: When each event happens, and what it is.
Story = list[tuple[float, str]]


def told(story: Story, *, ends: bool = True) -> list[tuple[float, list[str]]]:
    """When which events are told, milliseconds after the first."""

    async def listen() -> list[tuple[float, list[str]]]:
        loop = asyncio.get_running_loop()
        read = Batches(ends=ends)
        for at, name in story:
            loop.call_at(1 + at / 1000, read.put, {"event": name})
        loop.call_at(2, read.end)
        return [(round((loop.time() - 1) * 1000, 3), [each["event"] for each in events]) async for events in read]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(listen())


def test_chunks_that_follow_one_another_closely_are_told_together():
    assert told([(at, "chunk") for at in (0, 1, 2, 3, 30)]) == [(0, ["chunk"]), (6, ["chunk"] * 3), (30, ["chunk"])]


def test_a_real_core_is_told_of_chunk_by_chunk():
    assert told([(0, "chunk"), (30, "chunk")]) == [(0, ["chunk"]), (30, ["chunk"])]


def test_what_is_no_chunk_is_told_at_once_with_the_chunks_before_it():
    story = [(0, "chunk"), (1, "chunk"), (2, "done-sent"), (3, "done-acknowledged")]
    assert told(story) == [(0, ["chunk"]), (2, ["chunk", "done-sent"]), (3, ["done-acknowledged"])]


def test_a_reader_that_is_far_too_slow_is_ended_or_misses_something(monkeypatch):
    monkeypatch.setattr(batches, "MOST_QUEUED", 2)
    story = [(0, "chunk"), (1, "chunk"), (2, "chunk"), (3, "chunk"), (500, "online")]
    assert told(story, ends=True) == [(0, ["chunk"]), (3, ["chunk", "chunk"])]
    assert told(story, ends=False) == [(0, ["chunk"]), (6, ["chunk", "chunk"]), (500, ["online"])]
