"""What a probe says of heartbeats, in findings and by its exit status: leaks, none, or that nobody saw it."""

from __future__ import annotations

import asyncio

import pytest

from rig.trust.probe.probe import Target, probe
from tests.rig.trust.probe import checks_probe
from tests.rig.trust.probe.checks_heartbleed import restricted
from tests.rig.trust.probe.leaking_responder import drops, is_silent
from tests.rig.trust.probe.probe_lab import ECDSA, RSA, codes, look, plan
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint, s_server

#: What a server is like to hellos with heartbeats; others are served by a sound one behind it. Then what is found.
CASES = {
    "leaks": (restricted(), "heartbleed", 1),
    "leaks by one odd suite": (restricted(suites=(0x0096,)), "heartbleed", 1),
    "takes heartbeats as it should": (restricted(drops), "heartbeats", 0),
    "takes heartbeats, and answers none": (restricted(is_silent), "heartbeats-silent", 3),
    "refuses hellos with heartbeats": (restricted(suites=(0x1301,)), "heartbeats-not-seen", 3),
    "hears no hello with heartbeats": (restricted(longest=0), "heartbeats-not-seen", 3),
    "refuses every version with heartbeats": (restricted(version=0x0304), "heartbeats-not-seen", 3),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_heartbeats(case):
    checks_probe.what_is_said_of_heartbeats(*CASES[case])


def test_who_takes_tls_1_3_alone_has_none(tmp_path):
    report = look(s_server(tmp_path, ECDSA, "-tls1_3"), asks_heartbeats=True)
    assert (report.addresses[0].heartbeats, report.addresses[0].heartbeats_refused) == ("none", None)


def test_of_two_addresses_one_leaks(tmp_path):
    async def act():
        async with endpoint(RSA, maximum="TLSv1.2") as behind, restricted().serving() as port:
            places = [(LOOPBACK, behind), (LOOPBACK, port)]
            (report,) = await probe([Target(HOST)], plan(*places, asks_heartbeats=True))
            return report, f"{LOOPBACK}:{port}"

    report, leaking = asyncio.run(act())
    assert [finding.address for finding in report.found("heartbleed")] == [leaking]
    assert report.exit_status == 1


def test_who_takes_nothing_that_openssl_has_left_is_not_probed_and_leaks_all_the_same():
    report = look(restricted(suites=(0x0003,), version=0x0300).serving(), asks_heartbeats=True)
    assert codes(report) == {"not-probed", "heartbleed"}
    assert report.exit_status == 1
    assert "heartbleed" not in codes(look(restricted(suites=(0x0003,), version=0x0300).serving()))
