"""Who does the work of sweeps: the processes of this machine. A cluster does the same (rig.sweep.cluster)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rig.errors import LabFault
from rig.sweep.chunk import ChunkResult
from rig.sweep.rows import RowsResult, RowSweep
from rig.sweep.sweep import ModelSweep, usual_jobs


class WorkersLost(LabFault):
    """Workers are gone, or not to be used: it is over for all plans."""


class Workers(Protocol):
    """They sweep what is missing of a sweep; each result that they yield is merged into it, and is new."""

    @property
    def ahead(self) -> int:
        """How many plans are to be begun before their turn, so that nobody waits."""

    def sweep(self, whole: ModelSweep) -> Iterator[ChunkResult]:
        """Every cut. Raises LabFault."""

    def sweep_rows(self, whole: RowSweep) -> Iterator[RowsResult]:
        """Every row of cuts. Raises LabFault."""


class ThisMachine:
    """Processes here, so many once a sweep takes a while."""

    ahead = 0

    def __init__(self, jobs: int | None = None):
        self._jobs = jobs or usual_jobs()

    def sweep(self, whole: ModelSweep) -> Iterator[ChunkResult]:
        """Nothing is done before somebody looks."""
        return whole.run(self._jobs)

    def sweep_rows(self, whole: RowSweep) -> Iterator[RowsResult]:
        """In this process."""
        return whole.run()
