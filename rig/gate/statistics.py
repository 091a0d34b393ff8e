"""What `failures` in `cuts` say of the rate of failures: upper bounds, and how many cuts a claim needs.

Two kinds. A **planned** bound is looked at once, when the cuts that were planned are made: Clopper and Pearson,
Biometrika 1934. An **anytime** bound may be looked at after every cut, and sweeping ended when it looks good: mixtures
over a Beta prior, Robbins, Ann. Math. Stat. 1970; Howard, Ramdas, McAuliffe and Sekhon, Ann. Stat. 2021. Clopper and
Pearson looked at every night claims 1 % wrongly in one of six sweeps.

Rates and confidences are between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

#: An upper bound on a rate: of failures, and cuts.
Bound = Callable[[int, int], float]
#: Steps of a bisection: more than a double has digits.
_STEPS = 60
#: Terms of a continued fraction, and when they do not matter any more.
_TERMS, _NEGLIGIBLE = 100_000, 1e-16


class Prior(NamedTuple):
    """A Beta distribution of the rate, fixed before the first cut: Beta(1, 300) suits tolerances near 1 %."""

    a: float = 1.0
    b: float = 300.0


def clopper_pearson_upper(failures: int, cuts: int, confidence: float) -> float:
    """The planned bound: the rate that gives so few failures with a probability of no more than 1 - confidence."""
    if failures >= cuts:
        return 1.0
    wanted = math.log1p(-confidence)
    # P(at most `failures` of `cuts` at rate p) = 1 - I_p(failures + 1, cuts - failures)
    return _root(lambda p: log_beta_cdf(cuts - failures, failures + 1, 1 - p) <= wanted, failures / cuts, 1.0)


def mixture_upper(failures: int, cuts: int, confidence: float, prior: Prior) -> float:
    """An anytime bound of two sides, its upper one; the lower one is `mixture_lower`, of the same confidence."""
    if failures >= cuts:
        return 1.0
    most = -math.log1p(-confidence)
    return _root(lambda p: _log_mixture(failures, cuts, p, prior) >= most, failures / cuts, 1.0)


def mixture_lower(failures: int, cuts: int, confidence: float, prior: Prior) -> float:
    """The rate below which nobody can believe the true one to be, whenever it is looked at."""
    if failures == 0:
        return 0.0
    most = -math.log1p(-confidence)
    return _root(lambda p: _log_mixture(failures, cuts, p, prior) < most, 0.0, failures / cuts)


def e_value_upper(failures: int, cuts: int, confidence: float, prior: Prior) -> float:
    """The anytime bound: one-sided, and so a little sharper than the mixture's."""
    if failures >= cuts:
        return 1.0
    most = -math.log1p(-confidence)
    return _root(lambda p: log_e_value(failures, cuts, p, prior) >= most, failures / cuts, 1.0)


def log_e_value(failures: int, cuts: int, rate: float, prior: Prior) -> float:
    """Logarithm of the evidence against every true rate of `rate` and above.

    Of a true rate of `rate` its expectation is 1 after any number of cuts, and below 1 of a higher one.
    """
    after, before = (prior.a + failures, prior.b + cuts - failures), (prior.a, prior.b)
    return _log_mixture(failures, cuts, rate, prior) + log_beta_cdf(*after, rate) - log_beta_cdf(*before, rate)


def cuts_needed(bound: Bound, failures: int, tolerated: float) -> int:
    """How many cuts, so many failures among them, it takes until a bound is not above a rate."""
    high = failures + 1
    while bound(failures, high) > tolerated:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bound(failures, middle) <= tolerated else (middle, high)
    return high


def log_beta_cdf(a: float, b: float, x: float) -> float:
    """Logarithm of the regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return -math.inf
    if x >= 1:
        return 0.0
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly; then I_x is not small
        return math.log1p(-math.exp(min(log_beta_cdf(b, a, 1 - x), -_NEGLIGIBLE)))
    front = a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b) - math.log(a)
    return front + math.log(_continued_fraction(a, b, x))


def _log_mixture(failures: int, cuts: int, rate: float, prior: Prior) -> float:
    """Logarithm of how much likelier the cuts are under the prior than at a rate, of which 0 and 1 exclude too much."""
    if rate <= 0 or rate >= 1:
        return math.inf
    passed = cuts - failures
    likely = failures * math.log(rate) + passed * math.log1p(-rate)
    return _log_beta(prior.a + failures, prior.b + passed) - _log_beta(*prior) - likely


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """That of the incomplete beta function (NIST DLMF 8.17.22), by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            change = c * d
            value *= change
        if abs(change - 1) < _NEGLIGIBLE:
            break
    return value


def _root(is_enough: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition begins to hold that does not at `low` and does at `high`, and changes once between them."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
