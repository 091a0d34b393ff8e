"""Planted faults of coverage: what was not run and counts, what is required and never missed, what is not said."""

from __future__ import annotations

from dataclasses import replace

from rig.cli import run_end
from rig.evidence import coverage, report, run_log
from rig.evidence.required import Required
from rig.suites import run
from tests.rig.evidence import checks_coverage as check

REAL_SHARE, REAL_CASES = Required._lost_share, run_log._cases


def _of_the_chosen(self, covered):
    return REAL_SHARE(self, replace(covered, cases=replace(covered.cases, there_are=len(covered.cases.chosen))))


def _only_known(self, covered):
    return [case for case in self.cases if case in covered.cases.chosen]


MUTANTS = {
    "coverage: a case that is not run here counts as run": (
        lambda m: m.setattr(coverage, "DEVICE_FAULT", "not run here"),
        check.a_case_that_is_not_run_here_was_not_run,
    ),
    "coverage: a lab fault counts as run": (
        lambda m: m.setattr(coverage, "DEVICE_FAULT", "lab fault"),
        check.a_lab_fault_covers_nothing,
    ),
    "coverage: what is required is never missed": (
        lambda m: m.setattr(Required, "lost", lambda _self, _coverage: []),
        check.a_run_that_lost_required_coverage_has_status_3,
    ),
    "coverage: lost coverage is told and has no status": (
        lambda m: m.setattr(run, "judge_coverage", lambda verdict, *, is_lost: verdict),
        check.a_run_that_lost_required_coverage_has_status_3,
    ),
    "coverage: a share is of the tests that were chosen": (
        lambda m: m.setattr(Required, "_lost_share", _of_the_chosen),
        check.a_share_is_of_all_there_are,
    ),
    "coverage: a case that was renamed is required no more": (
        lambda m: m.setattr(Required, "_lost_cases", _only_known),
        check.a_case_that_nobody_has_is_lost,
    ),
    "coverage: the terminal keeps the reasons": (
        lambda m: m.setattr(run_end, "_reasons", lambda _coverage: []),
        check.the_terminal_has_the_missing_tag,
    ),
    "coverage: the summary keeps the missing tags": (
        lambda m: m.setattr(report, "_coverage", lambda _record: []),
        check.the_summary_has_the_missing_tag_of_each,
    ),
    "coverage: the log does not know how many cases there are": (
        lambda m: m.setattr(run_log, "_cases", lambda told: replace(REAL_CASES(told), there_are=len(told["chosen"]))),
        check.a_killed_run_knows_its_cases,
    ),
}
