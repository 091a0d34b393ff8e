"""Planted faults of bounds and policies."""

from __future__ import annotations

from rig.gate import judged, policy, statistics
from rig.gate.judged import Judged
from tests.rig.gate import checks_gate as check


def _looked_at_every_night(needed_hand, rules, tolerated):
    """A planned bound after every cut, as many as there are by then."""
    cuts, failures = len(needed_hand), sum(needed_hand)
    bound = rules.upper()(failures, cuts) if cuts else 1.0
    return Judged(cuts, failures, tolerated, bound, "met" if bound <= tolerated else "need-more", 1)


def _of_what_came_after(needed_hand, rules, tolerated, real=judged._planned):
    """The plan is forgotten once it has failed: the last cuts count."""
    return real(needed_hand[-299:], rules, tolerated)


def _for_no_failures(rules, failures, tolerated, real=judged._needed):
    return real(rules, 0, tolerated)


def _whole_prior(failures, cuts, rate, prior, real=statistics._log_mixture):
    """Rates above count as evidence against a rate, too."""
    return real(failures, cuts, rate, prior) + 1e-3


def _one_bound(m):
    m.setattr(judged, "_needed_by", judged._needed_by.__wrapped__)  # what it keeps is not for others
    m.setattr(policy, "e_value_upper", lambda k, n, confidence, prior: policy.clopper_pearson_upper(k, n, confidence))


def _ignore_phases(self, kind, path, phase):
    return self.tolerated


MUTANTS = {
    "gate: a planned bound is looked at every night": (
        lambda m: m.setattr(judged, "_planned", _looked_at_every_night),
        check.a_planned_bound_is_looked_at_once,
    ),
    "gate: a plan that failed is made anew by going on": (
        lambda m: m.setattr(judged, "_planned", _of_what_came_after),
        check.a_planned_bound_is_looked_at_once,
    ),
    "gate: failures need no more cuts": (
        lambda m: m.setattr(judged, "_needed", _for_no_failures),
        check.more_cuts_that_are_needed_are_as_many_as_it_takes,
    ),
    "gate: the anytime bound is the planned one": (
        _one_bound,
        check.an_anytime_bound_is_met_as_soon_as_it_is,
    ),
    "gate: no rate is ever exceeded": (
        lambda m: m.setattr(judged, "mixture_lower", lambda *_: 0.0),
        check.boards_that_all_need_a_hand_exceed_what_is_tolerated,
    ),
    "gate: what is tolerated need not be seen": (
        lambda m: m.setattr(check, "judge", lambda made, *_: Judged(0, 0, 1.0, 1.0, "met")),
        check.a_phase_where_all_is_tolerated_must_have_been_seen,
    ),
    "gate: an e-value is more than it is worth": (
        lambda m: m.setattr(statistics, "_log_mixture", _whole_prior),
        check.an_e_value_needs_its_prior_cut_off,
    ),
    "gate: fields that there are not are passed over": (
        lambda m: m.setattr(policy.Policy, "model_validate", classmethod(lambda cls, found: cls())),
        check.a_policy_that_is_wrong_is_refused_by_its_field,
    ),
    "gate: phases have no rate of their own": (
        lambda m: m.setattr(policy.Policy, "tolerates", _ignore_phases),
        check.each_phase_has_the_rate_that_is_named_for_it,
    ),
}
