"""The slow way that a sweep is compared with: a board is started after every single cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rig.sweep.cut_points import BEFORE, Flash, contents_at, tears_of
from rig.sweep.replay import recovery_from
from rig.sweep.scenario import Scenario, Settled
from rig.sweep.spans import Span
from rig.sweep.sweep import settle_whole
from rig.sweep.two_cuts import SecondCuts

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


def every_pair(scenario: Scenario, tears: Sequence[str], seed: int) -> dict[tuple[str, int], Answers]:
    """What becomes of a board after every second cut that follows every first one."""
    flash = Flash(scenario.memory(), scenario.update, seed)
    pairs: dict[tuple[str, int], Answers] = {}
    for tear, k in every_cut(scenario, tears, seed):
        contents = contents_at(flash, scenario.update, k, tear)
        again = replace(scenario, update=recovery_from(scenario, contents))
        pairs[tear, k] = every_cut(again, tears, seed)
    return pairs


def pairs_of(groups: Iterable[SecondCuts]) -> dict[tuple[str, int], Answers]:
    """The same, from a sweep. Each first cut is answered once."""
    pairs: dict[tuple[str, int], Answers] = {}
    for group in groups:
        for k in range(group.first.first, group.first.last + 1):
            assert (group.first.tear, k) not in pairs, "answered twice"
            pairs[group.first.tear, k] = answers_of(group.spans)
    return pairs
