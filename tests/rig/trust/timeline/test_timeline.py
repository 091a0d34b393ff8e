"""Dark dates: exact, and right about outages that happened."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.trust.recipe import IdentityRecipe
from rig.trust.timeline.course import Course, Span, State, best, course
from rig.trust.timeline.plan import FieldFirmware
from rig.trust.timeline.schedule import renewed
from rig.trust.timeline.timeline import Horizon, timeline
from tests.rig.trust.timeline import checks_timeline
from tests.rig.trust.timeline.checks_timeline import DST, HISTORY, LEFT_LETS_ENCRYPT, LONG, OWN, SWAPPED_AND_BACK
from tests.rig.trust.timeline.timeline_bench import (
    HOST,
    OWN_HOST,
    day,
    device,
    judged,
    library,
    pins,
    pki,
    schedules,
    shows,
)

#: Release: the day it went dark by the history, and when the host leaves for an authority nobody knows.
JULY_2024 = {
    "1.0.0": ("2021-01-09", "2021-01-09"),
    "1.0.1": ("2024-02-23", "2024-02-23"),
    "1.0.2": ("2024-07-24", "2024-07-24"),
    "1.0.4": ("2024-07-24", "2024-07-24"),
    "1.0.5": (None, "2025-01-01"),
    "1.0.6": (None, "2025-01-01"),
    "1.0.7": (None, None),
    "1.0.8": (None, None),
}


@pytest.mark.parametrize("release", JULY_2024)
def test_july_2024_as_a_plan(release):
    by_history, without_lets_encrypt = (None if told is None else day(told) for told in JULY_2024[release])
    assert judged(library(release), HISTORY, OWN, until="2026-01-01").course.dark == by_history
    assert judged(library(release), LEFT_LETS_ENCRYPT, OWN, until="2026-01-01").course.dark == without_lets_encrypt


def test_the_last_day_for_a_fix_is_the_day_before_the_swap():
    one = judged(library("1.0.4"), HISTORY, today="2024-06-06")
    assert one.course.last_day == date(2024, 7, 23)
    assert one.course.why_dark == "issued by R10 under ISRG Root X1, not by R3"


def test_each_server_has_a_dark_date_of_its_own():
    ota, ota9 = judged(library("1.0.7"), LEFT_LETS_ENCRYPT, OWN, until="2026-01-01").servers
    assert (ota.host, ota.course.dark) == (HOST, day("2025-01-01"))
    assert (ota9.host, ota9.course.dark) == (OWN_HOST, None)


#: Who pins what, whether it looks at dates, what is served behind the leaf: dark from, or None, or that it never works.
ISRG, ADDTRUST, USERTRUST = "isrg-root-x1", "addtrust-external", "usertrust-rsa"
SHORT = ["lets-encrypt-r3"]
CROSS, WRONG_ORDER = ["sectigo-dv", "usertrust-rsa-by-addtrust"], ["usertrust-rsa-by-addtrust", "sectigo-dv"]
NEVER = "never"
EXPIRED = {
    "DST X3, the old root, without dates": ("lets-encrypt-r3", (DST,), False, LONG, None),
    "DST X3, the old root, with dates": ("lets-encrypt-r3", (DST,), True, LONG, "2021-09-30T00:00:01"),
    "DST X3, the new root, with dates": ("lets-encrypt-r3", (ISRG,), True, LONG, None),
    "DST X3, both, the old one first, with dates": ("lets-encrypt-r3", (DST, ISRG), True, LONG, None),
    "DST X3, both, the new one first, with dates": ("lets-encrypt-r3", (ISRG, DST), True, LONG, None),
    "DST X3, the old root, the short chain": ("lets-encrypt-r3", (DST,), False, SHORT, NEVER),
    "a cross-sign ends before its root": ("lets-encrypt-r3-by-dst", (DST,), True, None, "2021-09-29T00:00:01"),
    "the same without dates": ("lets-encrypt-r3-by-dst", (DST,), False, None, None),
    "AddTrust, the old root, without dates": ("sectigo-dv", (ADDTRUST,), False, CROSS, None),
    "AddTrust, the old root, with dates": ("sectigo-dv", (ADDTRUST,), True, CROSS, "2020-05-30T00:00:01"),
    "AddTrust, the new root, with dates": ("sectigo-dv", (USERTRUST,), True, CROSS, None),
    "AddTrust, the old root, in the wrong order": ("sectigo-dv", (ADDTRUST,), False, WRONG_ORDER, NEVER),
    "AddTrust, the new root, in the wrong order": ("sectigo-dv", (USERTRUST,), True, WRONG_ORDER, None),
    "AddTrust, the bundle, with dates": ("sectigo-dv", ("bundle",), True, ["sectigo-dv"], None),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPIRED)
def test_a_root_ends_for_who_looks_at_dates(case):
    under, pinned, dates, behind, expected = EXPIRED[case]
    begins = "2020-01-01" if under == "sectigo-dv" else "2021-06-01"
    endpoint = {"host": HOST, "shows": [shows(begins, under, behind=behind, days=3650)]}
    whole = judged(device(*pinned, dates=dates), endpoint, today=begins, until="2024-01-01").course
    assert whole.ever_works == (expected != NEVER)
    assert whole.dark == (day(begins) if expected == NEVER else None if expected is None else day(expected))


def test_a_leaf_that_is_not_renewed_ends_for_who_looks_at_dates():
    endpoint = {"host": HOST, "shows": [shows("2025-01-01", "rig-intermediate", days=90)]}
    assert judged(device("rig-root"), endpoint, today="2025-01-01").course.dark is None
    clock = judged(device("rig-root", dates=True), endpoint, today="2025-01-01").course
    assert (clock.dark, clock.last_day) == (day("2025-04-01T00:00:01"), date(2025, 4, 1))
    assert clock.why_dark == f"{HOST} ended on 2025-04-01"


@pytest.mark.parametrize("lifetime", [200, 100, 47, "cab"])
def test_renewals_in_time_darken_nobody_who_pins_a_root(lifetime):
    shown = [shows("2025-01-01", "rig-intermediate")]
    endpoint = {"host": HOST, "renewal": {"lifetime": lifetime}, "shows": shown}
    assert judged(device("rig-root", dates=True), endpoint, today="2025-01-01", until="2035-01-01").course.dark is None


def test_another_name_and_a_server_that_is_switched_off_have_their_reasons():
    endpoint = {
        "host": HOST,
        "ends": "2026-01-01",
        "shows": [shows("2024-01-01", "rig-intermediate"), shows("2025-01-01", "rig-intermediate", names=["new.test"])],
    }
    (server,) = judged(device("rig-root"), endpoint, today="2024-01-01").servers
    told = [(span.begins, span.state, span.why) for span in server.course.spans]
    assert told == [
        (day("2024-01-01"), State.TRUSTED, ""),
        (day("2025-01-01"), State.REFUSED, f"it is not for {HOST}"),
        (day("2026-01-01"), State.REFUSED, f"{HOST} is switched off"),
    ]


def test_a_chain_that_a_device_has_no_room_for_darkens_it():
    checks_timeline.a_chain_that_a_device_has_no_room_for_darkens_it(None)


def test_the_endpoint_of_the_very_port_answers():
    checks_timeline.the_endpoint_of_the_very_port_answers(None)


def test_servers_are_told_apart_by_their_ports():
    url = f"https://{HOST}:8443/app.bin"
    far = FieldFirmware.model_validate(
        {"name": "far", "esp32": {"client": "https-ota", "url": url, "pins": ["rig-root"]}}
    )
    shown = [shows("2025-01-01", "rig-intermediate")]
    (one,) = judged(far, {"host": HOST, "shows": shown}, today="2025-01-01").servers
    assert (one.name, one.course.dark) == (f"{HOST}:8443", None)


def test_a_pin_that_is_served_and_ended_is_named():
    checks_timeline.a_pin_that_is_served_and_ended_is_named(None)


def test_a_swap_that_is_taken_back_is_a_gap_and_not_dark():
    endpoint = {"host": HOST, "shows": [shows(d, u) for d, u in SWAPPED_AND_BACK]}
    whole = judged(device("lets-encrypt-r3"), endpoint, today="2024-01-01").course
    assert (whole.dark, whole.gaps) == (None, [(day("2024-07-24"), day("2024-07-31"))])
    assert whole.next_loss(day("2024-07-01")) == day("2024-07-24")
    assert whole.next_loss(day("2024-07-25")) == day("2024-07-25")
    assert whole.next_loss(day("2024-07-31")) is None


#: Who may issue at renewals, what is pinned: whether each is a risk.
RISKS = {
    "the intermediate, and any may issue": ("any", ("lets-encrypt-r10",), True),
    "the intermediate, and it stays": ("kept", ("lets-encrypt-r10",), False),
    "one of two that may issue": (["lets-encrypt-r10", "lets-encrypt-r11"], ("lets-encrypt-r10",), True),
    "both that may issue": (
        ["lets-encrypt-r10", "lets-encrypt-r11"], ("lets-encrypt-r10", "lets-encrypt-r11"), False,
    ),
    "the root": ("any", ("isrg-root-x1",), False),
    "the intermediate and its root": ("any", ("lets-encrypt-r10", "isrg-root-x1"), False),
    "the public roots": ("any", ("bundle",), False),
}  # fmt: skip


@pytest.mark.parametrize("case", RISKS)
def test_renewals_are_a_risk_for_who_pins_less_than_a_root(case):
    issuer, pinned, risky = RISKS[case]
    renewal = {"lifetime": 100, "before_end": 40, "issuer": issuer}
    endpoint = {"host": HOST, "renewal": renewal, "shows": [shows("2025-01-01", "lets-encrypt-r10")]}
    one = judged(device(*pinned), endpoint, today="2025-04-01", until="2026-01-01")
    assert one.course.dark is None
    expected = [day("2025-05-01") + number * timedelta(days=60) for number in range(5)]
    assert list(one.risks) == (expected if risky else [])


def test_a_server_that_the_plan_does_not_know_is_nobodys_hope():
    one = judged(library("1.0.7"), LEFT_LETS_ENCRYPT, until="2026-01-01")
    assert one.is_planned
    assert one.servers[1].course.at(day("2025-06-01")).state is State.UNPLANNED
    assert one.course.dark == day("2025-01-01")


#: Days left when a certificate is renewed.
DAYS_LEFT = st.integers(1, 9)
UNDER = ["lets-encrypt-r3", "lets-encrypt-r3-by-dst", "lets-encrypt-r10", "dtf-root-x1", "sectigo-dv"]
PINS = ["lets-encrypt-r3", "isrg-root-x1", "dst-root-ca-x3", "dtf-root-x1", "usertrust-rsa", "bundle"]
FIRST, DAYS = day("2021-08-01"), 160


@st.composite
def plans(draw, ends=DAYS_LEFT):
    """An endpoint of a few swaps, with renewals or without, around the days on which roots and cross-signs ended."""
    starts = sorted(draw(st.sets(st.integers(0, DAYS - 1), min_size=1, max_size=3)))
    begins = [f"{FIRST + timedelta(days=number):%Y-%m-%d}" for number in starts]
    told = [shows(one, draw(st.sampled_from(UNDER)), days=draw(st.integers(5, 90))) for one in begins]
    endpoint = {"host": HOST, "shows": told}
    if draw(st.booleans()):
        endpoint["renewal"] = {"lifetime": draw(st.integers(10, 60)), "before_end": draw(ends)}
    firmware = device(*draw(st.lists(st.sampled_from(PINS), min_size=1, max_size=2)), dates=draw(st.booleans()))
    return endpoint, firmware.shipped


@settings(max_examples=40, deadline=None)
@given(plans())
def test_every_day_is_as_brute_force_finds_it(planned):
    endpoint, firmware = planned
    until = FIRST + timedelta(days=DAYS)
    (asked,) = schedules([endpoint], f"{until:%Y-%m-%d}")
    found = timeline(firmware, [asked], pins(), Horizon(FIRST, FIRST, until)).course

    def works(time):
        """By the rules themselves, at one time."""
        shown = asked.at(time)
        return shown is not None and firmware.refuses(firmware.attempts[0], shown.chain, pins(), time) is None

    # Swaps are at midnight, certificates end a second after it: nothing changes in between.
    moments = [FIRST + timedelta(days=n, seconds=s) for n in range(DAYS) for s in (0, 1)]
    brute = [works(time) for time in moments]
    assert [found.at(time).state.works for time in moments] == brute
    last = max((number for number, good in enumerate(brute) if good), default=-1)
    assert found.dark == (None if last == len(brute) - 1 else moments[last + 1])
    assert found.last_day == (None if found.dark is None or last < 0 else moments[last].date())


@settings(max_examples=40, deadline=None)
@given(plans(ends=st.none()), st.lists(st.integers(0, DAYS * 86400 - 1), min_size=50, max_size=100))
def test_any_second_is_as_the_rules_have_it(planned, seconds):
    endpoint, firmware = planned
    until = FIRST + timedelta(days=DAYS)
    (asked,) = schedules([endpoint], f"{until:%Y-%m-%d}")
    found = timeline(firmware, [asked], pins(), Horizon(FIRST, FIRST, until)).course
    for time in (FIRST + timedelta(seconds=second) for second in seconds):
        shown = asked.at(time)
        works = shown is not None and firmware.refuses(firmware.attempts[0], shown.chain, pins(), time) is None
        assert found.at(time).state.works == works


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 400), st.sampled_from(UNDER), st.lists(st.sampled_from(PINS), min_size=1), st.booleans())
def test_a_leaf_that_is_planned_is_judged_as_one_that_is_issued(days, under, pinned, dates):
    begins, life = day("2021-06-01"), timedelta(days=days)
    told = IdentityRecipe(under=under, begins=begins, days=days)
    issued = pki().issue(HOST, told).chain
    planned = renewed(pki().issue(HOST, IdentityRecipe(under=under)).chain, begins, begins + life)
    firmware = device(*pinned, dates=dates).shipped
    for at in (begins - timedelta(seconds=1), begins, begins + life, begins + life + timedelta(seconds=1)):
        verdicts = [firmware.refuses(firmware.attempts[0], chain, pins(), at) for chain in (issued, planned)]
        assert verdicts[0] == verdicts[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 400), st.one_of(st.none(), st.integers(1, 30)))
def test_a_certificate_is_shown_only_while_it_is_valid(lifetime, before_end):
    before_end = None if before_end is None else min(before_end, lifetime - 1)
    renewal = {"lifetime": lifetime, "before_end": before_end}
    endpoint = {"host": HOST, "renewal": renewal, "shows": [shows("2025-01-01", "rig-intermediate")]}
    (asked,) = schedules([endpoint], "2027-01-01")
    ends = [one.begins for one in asked.shown[1:]]
    for one, until in zip(asked.shown, ends, strict=False):
        assert one.chain[0].not_valid_before_utc == one.begins
        assert one.begins + timedelta(days=1) <= until <= one.chain[0].not_valid_after_utc


def test_the_best_of_courses_has_the_reasons_of_all_that_fail():
    first, second, third = day("2024-01-01"), day("2025-01-01"), day("2026-01-01")
    one = Course((Span(first, second, State.TRUSTED), Span(second, third, State.REFUSED, ("a",))))
    other = Course((Span(first, third, State.REFUSED, ("b",)),))
    assert best([one, other]).spans == (
        Span(first, second, State.TRUSTED), Span(second, third, State.REFUSED, ("a", "b")),
    )  # fmt: skip
    assert course([]).spans == ()
