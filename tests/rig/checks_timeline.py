"""Named checks of test_mutants about dark dates: one rule of the timeline each, on a plan of a few words."""

from __future__ import annotations

from timeline_bench import HOST, OWN_HOST, day, device, judged, library, shows

from rig.trust.timeline.course import State

#: The root that Let's Encrypt was cross-signed by until September 2021.
DST = "dst-root-ca-x3"
LONG = ["lets-encrypt-r3", "isrg-root-x1-by-dst"]
OWN = {"host": OWN_HOST, "shows": [shows("2024-08-02", "dtf-root-x1", days=3650)]}
#: Let's Encrypt's chains of these years: reference/esp32.md §7.1, §7.5; from R3 on as its default chains were.
HISTORY = {
    "host": HOST,
    "renewal": {"lifetime": 90, "before_end": 30},
    "shows": [
        shows("2020-11-10", "lets-encrypt-x3"),
        shows("2020-12-02", "lets-encrypt-r3-by-dst", later=True),
        shows("2021-05-04", "lets-encrypt-r3", later=True, behind=LONG),
        shows("2024-02-08", "lets-encrypt-r3", later=True),
        shows("2024-05-25", "lets-encrypt-r3"),
        shows("2024-06-06", "lets-encrypt-r10", later=True),
    ],
}
LEFT_LETS_ENCRYPT = {**HISTORY, "shows": [*HISTORY["shows"], shows("2025-01-01", "other-intermediate")]}
SWAPPED_AND_BACK = [
    ("2024-01-01", "lets-encrypt-r3"),
    ("2024-07-24", "lets-encrypt-r10"),
    ("2024-07-31", "lets-encrypt-r3"),
]


def dark(firmware, *endpoints, **horizon):
    return judged(firmware, *endpoints, **horizon).course.dark


def devices_without_dates_go_on(_folder):
    endpoint = {"host": HOST, "shows": [shows("2025-01-01", "rig-intermediate", days=90)]}
    assert dark(device("rig-root"), endpoint, today="2025-01-01") is None


def the_second_attempt_counts(_folder):
    endpoint = {"host": HOST, "shows": [shows("2025-01-01", "cloudflare-origin-ca", days=900)]}
    assert dark(library("1.0.6"), endpoint, today="2025-01-01") is None


def the_last_server_is_the_last(_folder):
    assert dark(library("1.0.7"), LEFT_LETS_ENCRYPT, OWN, until="2026-01-01") is None


def a_certificate_is_valid_in_its_last_second(_folder):
    endpoint = {"host": HOST, "shows": [shows("2021-06-01", "lets-encrypt-r3", behind=LONG, days=3650)]}
    whole = judged(device(DST, dates=True), endpoint, today="2021-06-01").course
    assert whole.at(day("2021-09-30")).state is State.TRUSTED
    assert whole.dark == day("2021-09-30T00:00:01")


def the_end_of_a_cross_sign_counts(_folder):
    endpoint = {"host": HOST, "shows": [shows("2021-06-01", "lets-encrypt-r3-by-dst", days=3650)]}
    assert dark(device(DST, dates=True), endpoint, today="2021-06-01") == day("2021-09-29T00:00:01")


def a_gap_is_not_the_end(_folder):
    endpoint = {"host": HOST, "shows": [shows(since, under) for since, under in SWAPPED_AND_BACK]}
    assert dark(device("lets-encrypt-r3"), endpoint, today="2024-01-01") is None


def renewals_prolong(_folder):
    endpoint = {"host": HOST, "renewal": {"lifetime": 47}, "shows": [shows("2025-01-01", "rig-intermediate")]}
    assert dark(device("rig-root", dates=True), endpoint, today="2025-01-01") is None


def a_new_issuer_comes_with_a_renewal(_folder):
    assert dark(library("1.0.4"), HISTORY, until="2026-01-01") == day("2024-07-24")


def an_intermediate_is_a_risk(_folder):
    endpoint = {"host": HOST, "renewal": {}, "shows": [shows("2025-01-01", "rig-intermediate")]}
    assert judged(device("rig-intermediate"), endpoint, today="2025-01-01").risks
