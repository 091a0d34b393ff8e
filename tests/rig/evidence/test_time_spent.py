"""What tests spend their time on, as they measure it and as reports tell it."""

from __future__ import annotations

import pytest

from rig.evidence.results import PASSED, TestResult
from rig.evidence.time_spent import KNOWN, REST, UPDATE, TimeSpent, longest_first, spent_of, total


def result(seconds: float, spent: str = "") -> TestResult:
    return TestResult(f"a test of {seconds} s", PASSED, seconds, properties={"spent": spent})


@pytest.fixture
def clock(monkeypatch):
    """Time that passes a second with each look."""
    ticks = iter(range(100))
    monkeypatch.setattr("rig.evidence.time_spent.time.monotonic", lambda: float(next(ticks)))


@pytest.mark.usefixtures("clock")
def test_what_is_measured_twice_is_added_up_and_an_update_that_fails_counts_too():
    spent = TimeSpent()
    with pytest.raises(ValueError, match="gone"), spent.on(UPDATE):
        raise ValueError("gone")
    for _ in range(2):
        with spent.on(KNOWN):
            pass
    assert str(spent) == "known 2.00 update 1.00"


def test_what_is_left_of_a_test_is_its_own_steps():
    told = spent_of(result(5.0, "known 2.00 update 1.00"))
    assert (told[KNOWN], told[UPDATE], told[REST]) == (2.0, 1.0, 2.0)
    assert spent_of(result(3.0))[REST] == 3.0


def test_a_word_that_nobody_knows_is_the_rest_of_it():
    assert spent_of(result(3.0, "coffee 2.00"))[REST] == 3.0


@pytest.mark.parametrize("text", ["known three", "known", "known nan", "known -1.00", "known 1e9"])
def test_what_a_test_of_ones_own_writes_there_breaks_no_report(text):
    assert spent_of(result(3.0, text))[REST] == 3.0


def test_all_tests_together():
    told = total([result(5.0, "known 2.00"), result(1.0)])
    assert (told[KNOWN], told[REST], sum(told.values())) == (2.0, 4.0, 6.0)


def test_the_longest_comes_first_and_what_took_no_time_is_left_out():
    assert [each.seconds for each in longest_first([result(1.0), result(0.0), result(5.0)])] == [5.0, 1.0]
