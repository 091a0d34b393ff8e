"""What policies and their judgement must do; each check is also run on planted faults."""

from __future__ import annotations

import itertools

from rig.errors import Misuse
from rig.gate import statistics
from rig.gate.judged import EXCEEDED, MET, NEED_MORE, judge
from rig.gate.policy import Policy
from rig.gate.statistics import Prior

PLANNED, ANYTIME = Policy(bound="planned"), Policy()
GOOD, BAD = False, True


def first_claim(needed_hand, policy: Policy, tolerated: float = 0.01) -> int | None:
    """After how many cuts somebody who looks after each of them is told that the bound is met."""
    looks = range(1, len(needed_hand) + 1)
    return next((n for n in looks if judge(needed_hand[:n], policy, tolerated).word == MET), None)


def a_planned_bound_is_looked_at_once(_tmp_path):
    sweep = [BAD, *[GOOD] * 700]  # 299 were planned, and at 473 it would look good
    assert first_claim(sweep, PLANNED) is None
    assert judge(sweep, PLANNED, 0.01).word == EXCEEDED
    assert judge(sweep[:298], PLANNED, 0.01).bound is None
    assert first_claim([GOOD] * 400, PLANNED) == 299


def an_anytime_bound_is_met_as_soon_as_it_is(_tmp_path):
    assert first_claim([GOOD] * 500, ANYTIME) == 374
    assert first_claim([BAD, *[GOOD] * 700], ANYTIME) == 629


def more_cuts_that_are_needed_are_as_many_as_it_takes(_tmp_path):
    for policy, failures in itertools.product((PLANNED, ANYTIME), (0, 1)):
        sweep = [BAD] * failures
        told = judge(sweep, policy, 0.01)
        assert told.word == NEED_MORE
        later = judge([*sweep, *[GOOD] * told.more], policy, 0.01)
        assert later.word == (EXCEEDED if failures and policy is PLANNED else MET)


def boards_that_all_need_a_hand_exceed_what_is_tolerated(_tmp_path):
    assert judge([BAD] * 5, ANYTIME, 0.01).word == NEED_MORE
    assert judge([BAD] * 12, ANYTIME, 0.01).word == EXCEEDED
    assert judge([BAD] * 12, ANYTIME, 1.0).word == MET


def a_phase_where_all_is_tolerated_must_have_been_seen(_tmp_path):
    assert judge([], ANYTIME, 1.0).more == 1


def an_e_value_needs_its_prior_cut_off(_tmp_path):
    for rate in (0.01, 0.1):
        chances = [0.0] * 31
        for k in range(31):
            ways = 1.0
            for i in range(k):
                ways = ways * (30 - i) / (i + 1)
            chances[k] = ways * rate**k * (1 - rate) ** (30 - k)
        evidence = [statistics.math.exp(statistics.log_e_value(k, 30, rate, Prior())) for k in range(31)]
        expected = sum(chance * e for chance, e in zip(chances, evidence, strict=True))
        assert abs(expected - 1) < 1e-9, "an e-value of a rate is 1 on average"


WRONG = {
    "a field that there is not": ("strnded = 1", "strnded"),
    "a rate above 1": ("tolerated = 1.5", "tolerated"),
    "a rate of no number": ("tolerated = nan", "tolerated"),
    "a bound that there is not": ('bound = "nightly"', "bound"),
    "a prior that is none": ("prior = [0, 300]", "prior.0"),
    "a phase's rate": ("[phases.toaster.bread]\ntop = -1", "phases.toaster.bread.top"),
    "no TOML": ("[phases", "no TOML"),
    "no control cuts": ("control_every = 0", "control_every"),
}


def refusal(path) -> str | None:
    """Why a policy is refused; None for one that is not."""
    try:
        Policy.read(path)
    except Misuse as error:
        return str(error)
    return None


def a_policy_that_is_wrong_is_refused_by_its_field(tmp_path):
    for name, (text, field) in WRONG.items():
        path = tmp_path / "policy.toml"
        path.write_text(text)
        assert field in (refusal(path) or ""), name


def each_phase_has_the_rate_that_is_named_for_it(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text("tolerated = 0.02\n[phases.toaster.bread]\ntop = 0.5\n")
    policy = Policy.read(path)
    assert policy.tolerates("toaster", "bread", "top") == 0.5
    assert policy.tolerates("toaster", "bread", "bottom") == 0.02
    assert policy.tolerates("kettle", "bread", "top") == 0.02
