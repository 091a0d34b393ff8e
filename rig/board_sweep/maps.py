"""The model's sweeps that boards are compared with, made before the first cut and kept beside the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rig.board_sweep.model_map import plan_of
from rig.firmware.manifest import Image
from rig.sweep.kept_sweep import KeptSweep, was_begun
from rig.sweep.plan import SweepPlan
from rig.sweep.spans import Span
from rig.sweep.workers import ThisMachine

#: Of a report folder, the one with the maps.
FOLDER = "model"
Map = tuple[SweepPlan, tuple[Span, ...]]


class Maps:
    """The maps of one sweep; each is made once, however many boards are compared with it."""

    def __init__(self, report: Path, note: Callable[[str], None]):
        self._folder, self._note = report / FOLDER, note
        self._made: dict[str, Map] = {}

    def of(self, kind: str, path: str, choices: Mapping[str, str], roles: Mapping[str, Image]) -> Map | None:
        """That of a board's path; None where the model has none. Raises Misuse, LabFault."""
        plan = plan_of(kind, path, choices, roles)
        if plan is None:
            return None
        if plan.identity not in self._made:
            self._note(f"every cut of {kind} {path} on the model")
            self._made[plan.identity] = (plan, self._sweep(plan))
        return self._made[plan.identity]

    def _sweep(self, plan: SweepPlan) -> tuple[Span, ...]:
        """By one process: gRPC's threads are not for forks."""
        folder = self._folder / f"{plan.kind}-{plan.path}-{plan.identity[:8]}"
        kept = KeptSweep(plan, ThisMachine(jobs=1), folder, resume=was_begun(folder))
        for _ in kept.results():
            pass
        return tuple(kept.whole.progress.spans)
