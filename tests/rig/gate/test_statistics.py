"""Bounds on failure rates: their known values, and what they promise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.gate.statistics import (
    Prior,
    clopper_pearson_upper,
    cuts_needed,
    e_value_upper,
    mixture_lower,
    mixture_upper,
)

FLAT, NARROW = Prior(1, 1), Prior(1, 300)
SURELY = 0.95
SEEN = ((0, 299), (1, 500), (3, 1000))
BOUNDS = {
    "Clopper-Pearson": lambda k, n: clopper_pearson_upper(k, n, SURELY),
    "Clopper-Pearson, two-sided": lambda k, n: clopper_pearson_upper(k, n, 0.975),
    "mixture, Beta(1, 1)": lambda k, n: mixture_upper(k, n, SURELY, FLAT),
    "mixture, Beta(1, 300)": lambda k, n: mixture_upper(k, n, SURELY, NARROW),
    "e-value, Beta(1, 300)": lambda k, n: e_value_upper(k, n, SURELY, NARROW),
}
#: Failures in cuts, as SEEN has them; and how exactly they are known.
VALUES = {
    "Clopper-Pearson": ((0.0099691468, 0.0094522822, 0.0077352447), 5.1e-11),
    "Clopper-Pearson, two-sided": ((0.0122615959, 0.0110924769, 0.0087420232), 5.1e-11),
    "mixture, Beta(1, 1)": ((0.0286761722, 0.02309337, 0.01641831), 5.1e-9),
    "mixture, Beta(1, 300)": ((0.0122560855, 0.01250255, 0.01047652), 5.1e-9),
    "e-value, Beta(1, 300)": ((0.01217336, 0.01244817, 0.01041608), 5.1e-9),
}
#: Cuts until 1 % can be claimed, with no, one and two failures.
NEEDED = {
    "Clopper-Pearson": [299, 473, 628],
    "mixture, Beta(1, 1)": [984, 1262, 1498],
    "mixture, Beta(1, 300)": [380, 635, 851],
    "e-value, Beta(1, 300)": [374, 629, 845],
}


@pytest.mark.parametrize("name", VALUES)
def test_each_bound_is_what_is_known_of_it(name):
    values, exactly = VALUES[name]
    assert [BOUNDS[name](k, n) for k, n in SEEN] == pytest.approx(values, rel=0, abs=exactly)


@pytest.mark.parametrize("name", NEEDED)
def test_so_many_cuts_are_needed_for_one_percent(name):
    assert [cuts_needed(BOUNDS[name], k, 0.01) for k in range(3)] == NEEDED[name]


@pytest.mark.parametrize("n", [1, 50, 299])
def test_without_a_failure_both_have_a_closed_form(n):
    assert clopper_pearson_upper(0, n, SURELY) == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-10)
    assert mixture_upper(0, n, SURELY, NARROW) == pytest.approx(1 - (0.05 * 300 / (n + 300)) ** (1 / n), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 400), st.integers(1, 400))
def test_more_good_cuts_never_raise_a_bound_and_a_failure_never_lowers_it(k, passed, more):
    for bound in BOUNDS.values():
        here = bound(k, k + passed)
        assert bound(k, k + passed + more) <= here + 1e-12
        assert bound(k + 1, k + passed + 1) >= here - 1e-12
        assert here > k / (k + passed) or here == 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(1, 300))
def test_a_lower_bound_is_below_what_was_seen(k, passed):
    assert 0 <= mixture_lower(k, k + passed, SURELY, NARROW) <= k / (k + passed)


def false_claims(bound, true: float, seed: int, *, sweeps: int = 300, most: int = 1000) -> float:
    """The share of sweeps that claim 1 % at some look, where the true rate is another; each cut is looked at."""
    needed: dict[int, int] = {}
    rng, wrong = random.Random(seed), 0
    for _ in range(sweeps):
        k = 0
        for n in range(1, most + 1):
            k += rng.random() < true
            if k not in needed:
                needed[k] = cuts_needed(bound, k, 0.01)
            if n >= needed[k]:
                wrong += 1
                break
    return wrong / sweeps


def test_an_anytime_bound_looked_at_after_every_cut_keeps_its_promise():
    assert false_claims(BOUNDS["e-value, Beta(1, 300)"], 0.01, seed=1) <= 0.05


def test_a_planned_bound_looked_at_after_every_cut_does_not():
    assert false_claims(BOUNDS["Clopper-Pearson"], 0.01, seed=1) > 0.10
