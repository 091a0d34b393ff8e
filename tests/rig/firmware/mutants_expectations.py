"""Planted faults of expectations, comparisons and baselines for test_mutants."""

from __future__ import annotations

from dataclasses import replace

from rig.evidence import compared
from rig.firmware import baseline, cases, outcomes
from rig.firmware.expectations import Expectations
from rig.suites import expecting
from tests.rig.firmware import checks_expectations as check


def _without_variants(entry, *words):
    return [told for told in REAL_WORDS(entry, *words) if told[0] != "variant"]


def _last_that_fits(self, situation):
    return next((entry for entry in reversed(self.entries) if entry.fits(situation)), None)


def _any_defect(_self, expected, *_words):
    return expected.defect if expected is not None else None


def _never_aloud(note):
    def note_always(self, *words):
        self._is_aloud = False
        note(self, *words)

    return note_always


def _no_details(defect, note):
    note("known_defect", defect.name)


def _of_the_rig(path, seen):
    return REAL_ENTRY(path, replace(seen, own=False))


def _without_its_defect(path, seen):
    return REAL_ENTRY(path, replace(seen, defect=None))


REAL_WORDS = cases._words
REAL_ENTRY = baseline._entry
MUTANTS = {
    "outcomes: a stranded board is as good as one that runs": (
        lambda m: m.setattr(outcomes, "BEST_TO_WORST", (outcomes.NAMES,)),
        check.surviving_where_2014_strands_is_better,
    ),
    "expectations: the last entry counts": (
        lambda m: m.setattr(Expectations, "expected", _last_that_fits),
        check.the_first_entry_counts,
    ),
    "expectations: whatever is named might be": (
        lambda m: m.setattr(cases, "_words", lambda *_words: ()),
        check.an_entry_that_nothing_can_fit_is_refused,
    ),
    "expectations: any variant might be": (
        lambda m: m.setattr(cases, "_words", _without_variants),
        check.an_entry_of_a_variant_that_there_is_not_is_refused,
    ),
    "record: every case is one that is known": (
        lambda m: m.setattr(baseline, "_entry", _of_the_rig),
        check.a_baseline_says_which_cases_are_of_ones_own_tests,
    ),
    "expectations: nothing is ever worse": (
        lambda m: m.setattr(outcomes, "compare", lambda *_words: "moved"),
        check.what_is_worse_is_a_device_fault_that_says_what_was_expected,
    ),
    "expectations: a defect that is gone is seen again": (
        lambda m: m.setattr(expecting.AsExpected, "_defect", _any_defect),
        check.what_is_better_is_no_fault_and_no_known_defect,
    ),
    "expectations: a known defect is a name and no more": (
        lambda m: m.setattr(expecting, "note_defect", _no_details),
        check.a_known_defect_is_noted_with_all_that_is_known,
    ),
    "expectations: what is not listed is the same": (
        lambda m: m.setattr(expecting, "UNLISTED", "same"),
        check.what_nobody_expects_is_unlisted,
    ),
    "expectations: the last comparison of a test hides those before": (
        lambda m: m.setattr(expecting.AsExpected, "_keep", _never_aloud(expecting.AsExpected._keep)),
        check.a_better_outcome_is_not_hidden_by_one_that_is_the_same,
    ),
    "record: a recording compares": (
        lambda m: m.setattr(expecting.Recording, "_word", expecting.AsExpected._word),
        check.a_recording_finds_no_fault,
    ),
    "record: a file that is there is overwritten": (
        lambda m: m.setattr(baseline, "refuse_to_overwrite", lambda *_words, **_how: None),
        check.a_baseline_is_not_overwritten_unless_that_is_wanted,
    ),
    "record: the file is written in place": (
        lambda m: m.setattr(baseline, "_beside", lambda path: path),
        check.a_baseline_that_cannot_be_written_leaves_the_one_before,
    ),
    "record: the last outcome of a case is kept": (
        lambda m: m.setattr(baseline, "worst", lambda _some, other, _wanted: other),
        check.of_two_outcomes_the_worse_one_is_the_baseline,
    ),
    "record: known defects are forgotten": (
        lambda m: m.setattr(baseline, "_entry", _without_its_defect),
        check.a_baseline_knows_the_defects_that_it_saw,
    ),
    "reports: what moved is not told": (
        lambda m: m.setattr(compared, "ALOUD", ("better", "unlisted")),
        check.another_outcome_than_expected_is_told_aloud,
    ),
}
