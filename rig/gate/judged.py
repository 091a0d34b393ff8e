"""What the cuts of one stratum come to under a policy: the bound is met, exceeded, or so many more cuts are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rig.gate.policy import Policy
from rig.gate.statistics import Prior, cuts_needed, mixture_lower

MET, EXCEEDED, NEED_MORE = "met", "exceeded", "need-more"


@dataclass(frozen=True, slots=True)
class Judged:
    """`failures` of `cuts` boards needed a hand; their rate is at most `bound`, None until it may be looked at."""

    cuts: int
    failures: int
    tolerated: float
    bound: float | None
    #: Met, exceeded, or need-more with `more` cuts.
    word: str
    more: int = 0


def judge(needed_hand: Sequence[bool], policy: Policy, tolerated: float) -> Judged:
    """Judge landed cuts, in the order in which they were made: whether each board needed a hand.

    A tolerance of 1 needs one cut, to have seen the phase. A planned number of cuts is looked at when they are made,
    and never again: neither sooner, nor once more with those that came after.
    """
    if tolerated >= 1:
        met = bool(needed_hand)
        bound = 1.0 if met else None
        return Judged(len(needed_hand), sum(needed_hand), tolerated, bound, MET if met else NEED_MORE, int(not met))
    return (_planned if policy.bound == "planned" else _anytime)(needed_hand, policy, tolerated)


def _planned(needed_hand: Sequence[bool], policy: Policy, tolerated: float) -> Judged:
    planned = _needed(policy, policy.planned_failures, tolerated)
    made = needed_hand[:planned]
    failures = sum(made)
    if len(made) < planned:
        return Judged(len(needed_hand), sum(needed_hand), tolerated, None, NEED_MORE, planned - len(made))
    bound = policy.upper()(failures, planned)
    return Judged(planned, failures, tolerated, bound, MET if bound <= tolerated else EXCEEDED)


def _anytime(needed_hand: Sequence[bool], policy: Policy, tolerated: float) -> Judged:
    cuts, failures = len(needed_hand), sum(needed_hand)
    bound = policy.upper()(failures, cuts) if cuts else None
    if bound is not None and bound <= tolerated:
        return Judged(cuts, failures, tolerated, bound, MET)
    if cuts and mixture_lower(failures, cuts, policy.confidence, Prior(*policy.prior)) > tolerated:
        return Judged(cuts, failures, tolerated, bound, EXCEEDED)
    return Judged(cuts, failures, tolerated, bound, NEED_MORE, _needed(policy, failures, tolerated) - cuts)


def _needed(policy: Policy, failures: int, tolerated: float) -> int:
    return _needed_by(policy.bound, policy.confidence, policy.prior, failures, tolerated)


@cache
def _needed_by(
    bound: Literal["planned", "anytime"], confidence: float, prior: tuple[float, float], failures: int, tolerated: float
) -> int:
    """How many cuts it takes; a sweep asks again after each cut."""
    return cuts_needed(Policy(bound=bound, confidence=confidence, prior=prior).upper(), failures, tolerated)
