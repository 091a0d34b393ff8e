"""The slow way that a sweep is compared with: a board is started after every single cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rig.sweep.cut_points import BEFORE, Flash, contents_at, tears_of
from rig.sweep.scenario import Scenario, Settled
from rig.sweep.spans import Span
from rig.sweep.sweep import settle_whole

Answers = dict[tuple[str, int], Settled]


def every_cut(scenario: Scenario, tears: Sequence[str], seed: int) -> Answers:
    """What becomes of a board after every cut."""
    update = scenario.update
    flash = Flash(scenario.memory(), update, seed)
    cuts = [(BEFORE, k) for k in range(update.operations + 1)]
    cuts += [
        (tear, k)
        for run in update.runs
        for k in range(run.first, run.first + run.count)
        for tear in tears_of(run, tears)
    ]
    return {(tear, k): settle_whole(scenario, contents_at(flash, update, k, tear)) for tear, k in cuts}


def answers_of(spans: Iterable[Span]) -> Answers:
    """Every cut of some spans one by one. Each is answered once."""
    answers: Answers = {}
    for span in spans:
        for k in range(span.first, span.last + 1):
            assert (span.tear, k) not in answers, "answered twice"
            answers[span.tear, k] = span.settled
    return answers
