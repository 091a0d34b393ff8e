"""The slow way that a sweep is compared with: a board is started after every single cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rig.sweep.cut_points import BEFORE, Flash, contents_at, tears_of
from rig.sweep.cuts_in_a_row import LastCuts
from rig.sweep.replay import recovery_from
from rig.sweep.scenario import Scenario, Settled
from rig.sweep.spans import Span
from rig.sweep.sweep import settle_whole

Answers = dict[tuple[str, int], Settled]
#: Tear and operation of cuts that follow each other.
Row = tuple[tuple[str, int], ...]


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


def every_row(scenario: Scenario, tears: Sequence[str], seed: int, count: int) -> dict[Row, Answers]:
    """What becomes of a board after every last cut, by the `count` - 1 earlier ones."""
    if count == 1:
        return {(): every_cut(scenario, tears, seed)}
    flash = Flash(scenario.memory(), scenario.update, seed)
    rows: dict[Row, Answers] = {}
    for tear, k in every_cut(scenario, tears, seed):
        contents = contents_at(flash, scenario.update, k, tear)
        again = replace(scenario, update=recovery_from(scenario, contents))
        rows |= {((tear, k), *later): ends for later, ends in every_row(again, tears, seed, count - 1).items()}
    return rows


def rows_of(groups: Iterable[LastCuts]) -> dict[Row, Answers]:
    """The same, from a sweep. Each row of earlier cuts is answered once."""
    rows: dict[Row, Answers] = {}
    for group in groups:
        for cuts, ended in group.rows():
            *earlier, (k, tear) = cuts
            answers = rows.setdefault(tuple((one, at) for at, one in earlier), {})
            assert (tear, k) not in answers, "answered twice"
            answers[tear, k] = ended
    return rows
