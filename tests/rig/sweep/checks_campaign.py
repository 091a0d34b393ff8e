"""Named checks of test_mutants about many plans in one command, and about what is still missing of a sweep."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice, pairwise

from rig.errors import RigError
from rig.sweep.campaign import Campaign, FailedPlan, PlanLine, title_of
from rig.sweep.chunk import ChunkSweep
from rig.sweep.chunks import gaps
from rig.sweep.cut_points import TEARS
from rig.sweep.ledger import NAME
from rig.sweep.plans import ALL, plans_of
from rig.sweep.rows import RowChunks, RowSweep
from rig.sweep.sweep import ModelSweep
from rig.sweep.workers import ThisMachine
from tests.rig.sweep.plans import core_plan

HERE = ThisMachine(jobs=1)
#: Quick ones; the last of them has cuts that strand a board.
PLANS = [core_plan("server-key"), core_plan("factory-image"), core_plan("ota-copy")]


class Watched(ThisMachine):
    """Remembers what was still missing of each sweep that it was given."""

    def __init__(self, jobs: int):
        super().__init__(jobs)
        self.missing = []

    def sweep(self, whole):
        self.missing.append(whole.gaps)
        return super().sweep(whole)

    def sweep_rows(self, whole):
        self.missing.append(whole.gaps)
        return super().sweep_rows(whole)


def every_plan_has_a_folder_of_its_own(folder):
    plans = plans_of("esp32", ALL, {"client": ALL, "rollback": ALL, "idf": ALL}, {}, TEARS, 0)
    assert len({title_of(plan) for plan in plans}) == len(plans) > 10
    for _ in Campaign(HERE, 1, 0, folder).lines(PLANS):
        pass
    kept = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
    assert kept == {f"{title_of(plan)}/{name}" for plan in PLANS for name in (NAME, "map.svg")}


def a_line_has_what_the_plan_alone_comes_to(_folder):
    alone = ModelSweep(PLANS[2])
    for _ in alone.run(jobs=1):
        pass
    *_, line = Campaign(HERE, 1, 0).lines(PLANS)
    stranded = sum(points for settled, points in alone.progress.count().items() if settled.rung != "self")
    assert (line.points, line.needs_hand) == (alone.progress.points, stranded)
    assert 0 < line.needs_hand < line.points


def what_was_swept_before_the_end_is_not_swept_again(folder):
    first = list(islice(Campaign(HERE, 1, 0, folder).lines(PLANS), 2))
    watched = Watched(jobs=1)
    again = list(Campaign(watched, 1, 0, folder, resume=True).lines(PLANS))
    assert watched.missing == [[], [], [(0, 110_745)]]
    assert [line.points for line in again[:2]] == [line.points for line in first]
    assert len(again) == len(PLANS)


def rows_of_cuts_that_are_kept_are_not_swept_again(folder):
    plans = [PLANS[2], PLANS[0]]
    first = list(islice(Campaign(HERE, 2, 0, folder).lines(plans), 1))
    watched = Watched(jobs=1)
    again = list(Campaign(watched, 2, 0, folder, resume=True).lines(plans))
    assert watched.missing == [[(0, 258)]]
    assert again[0].ends == first[0].ends
    assert again[0].operations == first[0].operations


def rows_of_another_sweep_are_not_taken(folder):
    list(Campaign(HERE, 2, 0, folder).lines(PLANS[:1]))
    others = Campaign(HERE, 3, 0, folder, resume=True), PLANS[0]
    seeded = Campaign(HERE, 2, 0, folder, resume=True), core_plan("server-key", seed=1)
    found = [next(campaign.lines([plan])) for campaign, plan in (others, seeded)]
    assert [type(line) for line in found] == [FailedPlan, FailedPlan]
    assert all("is of another sweep" in line.error for line in found)


def a_plan_that_fails_does_not_stop_the_others(_folder):
    lacking = plans_of("spark-core", "dfu", {}, {}, TEARS, 0)
    found = []
    with suppress(RigError):
        found += map(type, Campaign(HERE, 1, 0).lines([*lacking, *PLANS]))
    assert found == [FailedPlan, PlanLine, PlanLine, PlanLine]


def what_is_missing_is_all_that_was_not_done(_folder):
    assert gaps(10, [(7, 9), (0, 2), (2, 4)]) == [(4, 7), (9, 10)]
    assert gaps(10, []) == [(0, 10)]
    assert gaps(10, [(0, 10)]) == []


def a_sweep_goes_on_behind_chunks_of_any_size(_folder):
    sweep = ModelSweep(PLANS[2])
    sweep.merge(ChunkSweep(sweep.scenario, TEARS, 0).sweep(1_000, 70_001))
    for _ in sweep.run(jobs=1):
        pass
    assert sweep.progress.points == 332_375


def a_result_that_comes_twice_counts_once(_folder):
    sweep = ModelSweep(PLANS[1])
    result = ChunkSweep(sweep.scenario, TEARS, 0).sweep(0, 4_000)
    within = ChunkSweep(sweep.scenario, TEARS, 0).sweep(0, 16)
    assert [sweep.merge(one) for one in (result, result, within)] == [True, False, False]
    assert sweep.progress.points == result.points


def rows_of_cuts_that_come_twice_count_once(_folder):
    sweep = RowSweep(PLANS[0], 2)
    chunks = RowChunks(sweep.scenario, sweep.plan, 2)
    results = [chunks.sweep(0, 100), chunks.sweep(100, sweep.first_cuts)]
    assert [sweep.merge(one) for one in (*results, *results)] == [True, True, False, False]
    assert sweep.count().total() == _pairs(PLANS[0])


def rows_of_cuts_in_pieces_are_those_at_once(_folder):
    sweep = RowSweep(PLANS[2], 2)
    chunks = RowChunks(sweep.scenario, sweep.plan, 2)
    ends = [0, 55_330, 55_337, 90_001, sweep.first_cuts]
    for begin, end in pairwise(ends):
        sweep.merge(chunks.sweep(begin, end))
    assert sweep.count().total() == _pairs(PLANS[2])


def _pairs(plan) -> int:
    whole = RowSweep(plan, 2)
    whole.merge(RowChunks(whole.scenario, plan, 2).sweep(0, whole.first_cuts))
    return whole.count().total()
