"""What runs of an update do, in words: by where they work, and writes to otadata by their turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rig.families.esp32.formats.partition_table import TABLE_OFFSET, Partition, PartitionTable
from rig.twin.flash import Run

Phases = Callable[[Sequence[Run], PartitionTable], tuple[str, ...]]


def turns(*names: str, begin: str = "forget") -> Phases:
    """Phases of what a board does itself: each time that a record is erased anew, the next of `names`.

    What is erased there before a download is `begin`.
    """

    def phases(runs: Sequence[Run], table: PartitionTable) -> tuple[str, ...]:
        where = table.otadata
        assert where is not None, "a golden set has otadata"
        found = ["otadata" if _within(where, run) else "download" for run in runs]
        left, turn = iter(names), ""
        for number, phase in enumerate(found):
            if phase != "otadata":
                continue
            if "erase" in runs[number].kind:
                begins = "download" in found[number:] and "download" not in found[:number]
                turn = begin if begins else next(left, "later")
            found[number] = turn
        return tuple(found)

    return phases


def by_place(runs: Sequence[Run], table: PartitionTable) -> tuple[str, ...]:
    """Phases of what a host writes: the first slot is told apart by what is done to it, all else by its label."""
    return tuple(_place(run, table) for run in runs)


def _place(run: Run, table: PartitionTable) -> str:
    row = next((row for row in table.rows if _within(row, run)), None)
    if row is None:
        return "bootloader" if run.address < TABLE_OFFSET else "table"
    if row.slot == 0:
        return "erase" if "erase" in run.kind else "program"
    return row.label


def _within(row: Partition, run: Run) -> bool:
    return row.offset <= run.address < row.offset + row.size
