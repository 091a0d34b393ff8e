"""Named checks of test_mutants about dark dates: one rule of the timeline each, on a plan of a few words."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from rig.trust.timeline import live
from rig.trust.timeline.course import State
from rig.trust.timeline.plan import Plan
from tests.rig.trust.timeline.timeline_bench import HOST, OWN_HOST, day, device, found, judged, library, pki, shows
from tests.rig.trust.tls_servers import LOOPBACK, endpoint

#: The root that Let's Encrypt was cross-signed by until September 2021.
DST = "dst-root-ca-x3"
LONG = ["lets-encrypt-r3", "isrg-root-x1-by-dst"]
OWN = {"host": OWN_HOST, "shows": [shows("2024-08-02", "dtf-root-x1", days=3650)]}
#: Let's Encrypt's chains of these years (letsencrypt.org/certificates); from R3 on as its default chains were.
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


def a_chain_that_a_device_has_no_room_for_darkens_it(_folder):
    shown = [shows("2025-01-01", "rig-intermediate"), shows("2026-01-01", "rig-intermediate", padding=20)]
    whole = judged(device("rig-root"), {"host": HOST, "shows": shown}, today="2025-01-01").course
    assert whole.dark == day("2026-01-01"), "a device was taken to have room for more than it has"
    assert "an ESP32 has room for 16384" in whole.why_dark


def half_a_group_that_is_written_off_alarms(_folder):
    """Two images that are one firmware to a server."""
    endpoint = {"host": HOST, "ends": "2026-01-31", "shows": [shows("2025-01-01", "rig-intermediate")]}
    dates = found({"endpoint": [endpoint], "firmware": [device("rig-root")]})
    (one,) = dates.firmware
    group = replace(one, firmware=replace(one.firmware, images=("device", "device-2")))
    for written_off, status in {("device",): 1, ("device-2",): 1, ("device", "device-2"): 0}.items():
        half = replace(dates, firmware=(group,), written_off=written_off)
        assert half.status(90) == status, f"{written_off} was written off, and {group.firmware.images} is a group"


def the_endpoint_of_the_very_port_answers(_folder):
    """In whatever order the plan has them."""
    good, bad = ([shows("2025-01-01", under)] for under in ("rig-intermediate", "other-intermediate"))
    any_port, its_own = {"host": HOST, "shows": bad}, {"host": HOST, "port": 443, "shows": good}
    for order in ((any_port, its_own), (its_own, any_port)):
        assert dark(device("rig-root"), *order, today="2025-01-01") is None, "an endpoint of any port shadowed it"


R10 = pki().authority("lets-encrypt-r10").issue(HOST, begins=day("2025-12-15"))
OURS = pki().authority("rig-intermediate").issue(HOST, begins=day("2025-12-15"))
MODERN = {"minimum": "TLSv1.3"}
#: What each address serves, with which settings, and how firmware that pins our root stands with all of them.
LIVE = {
    "as it should be": ([(OURS, {})], State.TRUSTED, ""),
    "the same at both": ([(OURS, {}), (OURS, {})], State.TRUSTED, ""),
    "another at the second address": ([(OURS, {}), (R10, {})], State.REFUSED, "issued by R10"),
    "shut out": ([(OURS, MODERN)], State.REFUSED, "shares no TLS version or suite"),
    "shut out at the second address": ([(OURS, {}), (OURS, MODERN)], State.REFUSED, "shares no TLS version or suite"),
}


def what_is_live_is_what_an_esp32_meets(case):
    serving, state, why = LIVE[case]

    async def looked():
        async with contextlib.AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(endpoint(one, **settings)) for one, settings in serving]
            places = [(LOOPBACK, port) for port in ports]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(live, "_places", lambda _dialled: asyncio.sleep(0, places))
                return {HOST: await live._look(planned, day("2026-01-01"))}

    shown = {"host": HOST, "renewal": {"issuer": "kept"}, "shows": [shows("2025-01-01", "rig-intermediate")]}
    planned = Plan.model_validate({"endpoint": [shown]}).endpoint[0]
    dates = found({"endpoint": [shown], "firmware": [device("rig-root")]}, seen=asyncio.run(looked()))
    span = dates.firmware[0].course.at(day("2026-02-01"))
    assert (span.state, why in span.why) == (state, True), f"{case}: {span.state}, {span.why}"
    assert not dates.unseen


def of_a_look(case):
    return lambda _folder: what_is_live_is_what_an_esp32_meets(case)


def a_pin_that_is_served_and_ended_is_named(_folder):
    behind = ["lets-encrypt-r3-by-dst"]
    endpoint = {"host": HOST, "shows": [shows("2021-06-01", "lets-encrypt-r3", behind=behind, days=3650)]}
    whole = judged(device("lets-encrypt-r3-by-dst", dates=True), endpoint, today="2021-06-01").course
    assert whole.why_dark == "R3 ended on 2021-09-29", "the reason was a number"
