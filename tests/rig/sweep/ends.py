"""What a whole sweep says, phase by phase."""

from __future__ import annotations

from rig.sweep.sweep import ModelSweep


def ends_by_phase(sweep: ModelSweep) -> dict[str, set[str]]:
    """What boards become after cuts in each phase."""
    for _ in sweep.run(jobs=1):
        pass
    update, found = sweep.scenario.update, {}
    for span in sweep.progress.spans:
        for run, phase in zip(update.runs, update.phases, strict=True):
            if span.first < run.first + run.count and span.last >= run.first:
                found.setdefault(phase, set()).add(span.settled.became)
    return found
