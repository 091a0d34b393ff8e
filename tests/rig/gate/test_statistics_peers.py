"""Bounds on failure rates, derived once more: by another library, and by integration."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.gate.statistics import Prior, clopper_pearson_upper, e_value_upper, log_beta_cdf, log_e_value, mixture_upper
from tests.rig.gate.test_statistics import FLAT, NARROW, SEEN, SURELY

pytest.importorskip("scipy")
from scipy import special, stats
from scipy.integrate import quad


@pytest.mark.parametrize(("k", "n"), [*SEEN, (0, 1), (5, 7), (40, 3000)])
def test_a_planned_bound_is_that_of_another_library(k, n):
    theirs = stats.binomtest(k, n, alternative="less").proportion_ci(SURELY, "exact").high
    assert clopper_pearson_upper(k, n, SURELY) == pytest.approx(theirs, rel=1e-11)


def likelihood_ratio(k: int, n: int, p: float, prior: Prior, below: float) -> float:
    """How much likelier the cuts are under the prior, cut off above `below`, than at p: by integration."""
    density = stats.beta(*prior).pdf
    where = max(k / n, 1e-4)
    whole = quad(density, 0, below)[0]
    ratio = quad(
        lambda q: (
            density(q) * math.exp(k * math.log((q or 1e-300) / p) + (n - k) * math.log1p(-q) - (n - k) * math.log1p(-p))
        ),
        *(0, below),
        points=sorted({min(where, below / 2), min(2 * where, below * 0.9)}),
        limit=400,
    )[0]
    return ratio / whole


@pytest.mark.parametrize("prior", [FLAT, NARROW], ids=["flat", "narrow"])
@pytest.mark.parametrize(("k", "n"), SEEN)
def test_at_the_mixture_s_bound_the_evidence_is_twenty_to_one(k, n, prior):
    bound = mixture_upper(k, n, SURELY, prior)
    assert likelihood_ratio(k, n, bound, prior, 1.0) == pytest.approx(20, rel=1e-7)


@pytest.mark.parametrize(("k", "n"), SEEN)
def test_at_the_e_value_s_bound_the_evidence_of_lower_rates_is_twenty_to_one(k, n):
    bound = e_value_upper(k, n, SURELY, NARROW)
    assert likelihood_ratio(k, n, bound, NARROW, bound) == pytest.approx(20, rel=1e-7)


@settings(deadline=None)
@given(st.floats(0.01, 3000), st.floats(0.01, 3000), st.floats(1e-6, 1 - 1e-6))
def test_the_incomplete_beta_function_is_that_of_another_library(a, b, x):
    theirs = special.betainc(a, b, x)
    ours = math.exp(log_beta_cdf(a, b, x))
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-290)


@pytest.mark.parametrize("n", [1, 7, 60])
def test_an_e_value_is_expected_to_be_one_at_its_rate_and_less_above_it(n):
    def expected(true: float) -> float:
        chances = stats.binom(n, true).pmf
        return sum(chances(k) * math.exp(log_e_value(k, n, 0.1, NARROW)) for k in range(n + 1))

    assert expected(0.1) == pytest.approx(1, rel=1e-9)
    assert expected(0.15) < 1
