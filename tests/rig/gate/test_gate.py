"""Policies, and what cuts come to under them."""

from __future__ import annotations

import pytest

from tests.rig.gate import checks_gate

CHECKS = [
    checks_gate.a_planned_bound_is_looked_at_once,
    checks_gate.an_anytime_bound_is_met_as_soon_as_it_is,
    checks_gate.more_cuts_that_are_needed_are_as_many_as_it_takes,
    checks_gate.boards_that_all_need_a_hand_exceed_what_is_tolerated,
    checks_gate.a_phase_where_all_is_tolerated_must_have_been_seen,
    checks_gate.an_e_value_needs_its_prior_cut_off,
    checks_gate.a_policy_that_is_wrong_is_refused_by_its_field,
    checks_gate.each_phase_has_the_rate_that_is_named_for_it,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(check, tmp_path):
    check(tmp_path)
