"""One plan's sweep, kept in a folder while it is under way: its ledger, so that it can be gone on with, and its map."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rig.files import is_there, write_user_file
from rig.sweep.chunk import ChunkResult
from rig.sweep.ledger import NAME, SweepLedger
from rig.sweep.picture import draw_sweep
from rig.sweep.plan import SweepPlan
from rig.sweep.sweep import ModelSweep
from rig.sweep.workers import Workers

#: A map's file.
MAP = "map.svg"
#: When the first map of a sweep under way is drawn, and how often then.
FIRST_PICTURE_SECONDS, PICTURE_SECONDS = 1.0, 5.0


def was_begun(folder: Path) -> bool:
    """Whether a sweep is kept there already."""
    return is_there(folder / NAME)


class KeptSweep:
    """A sweep that is begun, or gone on with where `resume` says so; nothing is kept without a folder.

    Raises Misuse where the folder has a sweep that is not to be gone on with, or another one.
    """

    def __init__(self, plan: SweepPlan, workers: Workers, folder: Path | None, *, resume: bool):
        self.whole = ModelSweep(plan)
        self.folder = folder
        self._ledger = SweepLedger(folder, plan) if folder is not None else None
        if self._ledger is not None and resume:
            for result in self._ledger.resume():
                self.whole.merge(result)
        elif self._ledger is not None:
            self._ledger.begin()
        self._results = workers.sweep(self.whole)

    def results(self) -> Iterator[ChunkResult]:
        """Sweep what is left; each result is on disk when it is yielded, and drawn now and then. Raises LabFault."""
        draws_at = time.monotonic() + FIRST_PICTURE_SECONDS
        try:
            for result in self._results:
                if self._ledger is not None:
                    self._ledger.add(result)
                if time.monotonic() > draws_at:
                    self.draw()
                    draws_at = time.monotonic() + PICTURE_SECONDS
                yield result
        finally:
            if self._ledger is not None:
                self._ledger.close()

    def draw(self) -> None:
        """The map so far, into the folder. Raises LabFault or Misuse where it cannot be written."""
        if self.folder is None:
            return
        plan, progress, update = self.whole.plan, self.whole.progress, self.whole.scenario.update
        chosen = " ".join(f"{name} {value}" for name, value in plan.choices.items())
        is_whole = progress.operations > update.operations
        known = "every one of them" if is_whole else f"{progress.operations:,} of them so far"
        below = [
            f"{progress.points:,} cuts of {update.operations:,} operations, {known}; an update goes on to the right",
            f"{plan.images['old'].name} to {plan.images['new'].name}",
        ]
        title = f"Every cut: {plan.kind} {plan.path} {chosen}".rstrip()
        write_user_file(self.folder / MAP, draw_sweep(update, progress.spans, title, below).encode())
