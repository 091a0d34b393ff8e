"""Planted faults of many plans in one command, and of what counts as done."""

from __future__ import annotations

from types import SimpleNamespace

from rig.sweep import campaign, cuts_in_a_row, rows, rows_report, sweep
from tests.rig.sweep import checks_campaign as check
from tests.rig.sweep.plans import core_plan


def _sweep_all(self, begin=0, end=None, real=cuts_in_a_row.CutsInARow.sweep):
    """Whatever stretch is asked for."""
    return real(self)


def _ends_all(plan, turn):
    """An error of one plan is everybody's."""
    return turn()


def _any_rows(folder, plan, cuts, read=rows_report.read_rows):
    return read(folder, core_plan("server-key"), 2)


def _dead(line):
    return sum(points for settled, points in line.ends.items() if settled.rung == "none")


def _begun_anew(folder):
    for path in folder.glob("*.jsonl"):
        path.unlink()
    return False


MUTANTS = {
    "campaign: plans share a folder": (
        lambda m: [m.setattr(module, "title_of", lambda plan: plan.path) for module in (campaign, check)],
        check.every_plan_has_a_folder_of_its_own,
    ),
    "campaign: only dead boards need a hand": (
        lambda m: m.setattr(
            campaign.PlanLine,
            "needs_hand",
            property(lambda self: sum(n for s, n in self.ends.items() if s.rung == "none")),
        ),
        check.a_line_has_what_the_plan_alone_comes_to,
    ),
    "campaign: what was begun is begun anew": (
        lambda m: m.setattr(campaign, "was_begun", _begun_anew),
        check.what_was_swept_before_the_end_is_not_swept_again,
    ),
    "campaign: rows of cuts are read without their earlier cuts": (
        lambda m: m.setattr(rows_report, "math", SimpleNamespace(prod=lambda counts: 1)),
        check.rows_of_cuts_that_are_kept_are_not_swept_again,
    ),
    "campaign: rows of cuts that are kept are swept again": (
        lambda m: [m.setattr(module, "has_rows", lambda folder: False) for module in (campaign, rows_report)],
        check.rows_of_cuts_that_are_kept_are_not_swept_again,
    ),
    "campaign: every sweep's rows are taken": (
        lambda m: m.setattr(campaign, "read_rows", _any_rows),
        check.rows_of_another_sweep_are_not_taken,
    ),
    "campaign: an error of one plan ends it": (
        lambda m: m.setattr(campaign, "_line", _ends_all),
        check.a_plan_that_fails_does_not_stop_the_others,
    ),
    "sweep: what lies before the first gap's end counts as done": (
        lambda m: m.setattr(check, "gaps", lambda end, done: [(max((behind for _, behind in done), default=0), end)]),
        check.what_is_missing_is_all_that_was_not_done,
    ),
    "sweep: a chunk that was begun counts as done": (
        lambda m: m.setattr(
            sweep.ModelSweep,
            "left",
            property(lambda self: [chunk for chunk in self.chunks if chunk in self.gaps or not self.progress.results]),
        ),
        check.a_sweep_goes_on_behind_chunks_of_any_size,
    ),
    "sweep: a result counts as often as it comes": (
        lambda m: m.setattr(sweep, "is_missing", lambda begin, end, missing: True),
        check.a_result_that_comes_twice_counts_once,
    ),
    "rows of cuts: a result counts as often as it comes": (
        lambda m: m.setattr(rows, "is_missing", lambda begin, end, missing: True),
        check.rows_of_cuts_that_come_twice_count_once,
    ),
    "rows of cuts: each stretch is the whole": (
        lambda m: m.setattr(cuts_in_a_row.CutsInARow, "sweep", _sweep_all),
        check.rows_of_cuts_in_pieces_are_those_at_once,
    ),
}
