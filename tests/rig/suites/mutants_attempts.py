"""Planted faults of second attempts: a result that is lost, a fault that is forgiven, a repeat that proves nothing."""

from __future__ import annotations

from rig.evidence import report, second_attempts
from rig.evidence.results import PASSED, judge
from rig.suites import attempts, run, watcher
from tests.rig.suites import checks_attempts as check

REAL_KEEP = watcher.Watcher.keep


def _over_the_first(self, result):
    self.results[:] = [former for former in self.results if former.name != result.name]
    REAL_KEEP(self, result)


def _by_the_last(results):
    return judge({result.name: result for result in results}.values())


class _NoSuchFault(Exception):
    """Nothing that is ever raised."""


MUTANTS = {
    "attempts: the second result is written over the first": (
        lambda m: m.setattr(watcher.Watcher, "keep", _over_the_first),
        check.both_results_of_a_test_are_kept,
    ),
    "attempts: the last result of a test is its verdict": (
        lambda m: m.setattr(run, "judge", _by_the_last),
        check.a_pass_on_another_board_mends_nothing,
    ),
    "attempts: a wrong description is tried on another board": (
        lambda m: m.setattr(attempts, "Misdescribed", _NoSuchFault),
        check.a_wrong_description_has_no_second_attempt,
    ),
    "attempts: whatever failed is tried again": (
        lambda m: m.setattr(attempts, "is_of_its_board", lambda _fault, _error: True),
        check.a_bug_of_a_test_has_no_second_attempt,
    ),
    "second attempts: one failure condemns a board": (
        lambda m: m.setattr(second_attempts, "SUSPECT_AFTER", 1),
        check.one_test_that_failed_on_one_board_is_no_proof_against_the_board,
    ),
    "second attempts: a pass is a pass": (
        lambda m: m.setitem(second_attempts._RULES, ("device fault", PASSED), PASSED),
        check.one_test_that_failed_on_one_board_is_no_proof_against_the_board,
    ),
    "summary: repeats are left out": (
        lambda m: m.setattr(report, "_repeated", lambda _found: []),
        check.both_attempts_are_in_the_summary,
    ),
}
