"""Which outcome is better: one order, over what runs in the end and what it took."""

from __future__ import annotations

import pytest

from rig.firmware.outcomes import BEST_TO_WORST, LEAST_TO_MOST, NAMES, Became, compare, worst
from rig.recovery.ladder import Outcome

#: What was expected, what was seen, what was wanted, and the word for it.
WORDS = {
    "what was expected is the same": (Became("stranded", "reflash"), Became("stranded", "reflash"), "new", "same"),
    "an image that needs its power cycled": (Became("old"), Became("old", "power-cycle"), "new", "worse"),
    "by itself, sooner or later": (Became("previous"), Became("previous", "wait"), "new", "same"),
    "a survivor of what strands others": (Became("stranded", "reflash"), Became("previous", "wait"), "new", "better"),
    "a button instead of a cable": (Became("stranded", "reflash"), Became("stranded", "reset"), "new", "better"),
    "the new image instead of the old": (Became("old", "self"), Became("new", "self"), "new", "better"),
    "an image that was not to run": (Became("old", "self"), Became("new", "self"), "old", "worse"),
    "a reset that brings the factory image": (Became("previous"), Became("factory"), "factory", "better"),
    "the same image after a power cycle": (Became("old", "self"), Became("old", "power-cycle"), "new", "worse"),
    "a board that needs a cable now": (Became("old", "self"), Became("stranded", "reflash"), "new", "worse"),
    "nothing helps any more": (Became("stranded", "reflash"), Became("dead", "none"), "new", "worse"),
    "a better image that takes more": (Became("previous", "self"), Became("old", "power-cycle"), "new", "moved"),
    "by itself, but sooner": (Became("old", "wait"), Became("old", "self"), "new", "moved"),
    "a secret that is kept": (Became("lost"), Became("kept"), "new", "better"),
}


@pytest.mark.parametrize("case", WORDS)
def test_one_word_says_how_what_was_seen_is_beside_what_was_expected(case):
    expected, seen, wanted, word = WORDS[case]
    assert compare(expected, seen, wanted) == word


@pytest.mark.parametrize("wanted", ["new", "old", "factory"])
def test_what_is_better_one_way_is_worse_the_other_way(wanted):
    opposite = {"better": "worse", "worse": "better", "same": "same", "moved": "moved"}
    for some in map(Became, NAMES):
        for other in map(Became, NAMES):
            assert compare(other, some, wanted) == opposite[compare(some, other, wanted)]


def test_of_two_that_were_seen_the_worse_one_is_kept():
    assert worst(Became("old"), Became("stranded")) == worst(Became("stranded"), Became("old")) == Became("stranded")


def test_every_outcome_of_the_ladder_has_its_place():
    assert {name for names in BEST_TO_WORST for name in names} == set(NAMES)
    for rung in (rung for rungs in LEAST_TO_MOST for rung in rungs):
        assert Outcome("old", rung, 1.0, "").became.name in NAMES
