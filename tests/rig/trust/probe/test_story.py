"""A probe compared with earlier ones: April 2014 step by step, and what each comparison finds."""

from __future__ import annotations

import asyncio

import pytest

from tests.rig.trust.probe import checks_probe
from tests.rig.trust.probe.checks_probe import BEHIND, april
from tests.rig.trust.probe.probe_lab import MIDDLE, ROOT, RSA, WRONG_NAME, codes, look
from tests.rig.trust.tls_servers import HOST, endpoint

#: What is broken when the bug is there, the key was kept, there is a new key, only ECDSA is spoken, RSA is again, and
#: an identity that was revoked is back.
BROKEN = [{"heartbleed"}, {"key-exposed"}, set(), {"client-lost"}, set(), {"revoked"}]


@pytest.mark.parametrize("behind", BEHIND)
def test_the_story_of_april_2014_is_found_step_by_step_at_each_endpoint(behind, tmp_path):
    reports = asyncio.run(april(tmp_path, BEHIND[behind]))
    assert [codes(report, "broken") for report in reports] == BROKEN
    assert [report.exit_status for report in reports] == [1 if broken else 0 for broken in BROKEN]


CHECKS = [checks_probe.one_of_two_that_was_left_behind_is_found, checks_probe.two_that_are_not_alike_are_found]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(check, tmp_path):
    check(tmp_path)


def test_earlier_reports_of_other_hosts_are_not_compared_and_that_is_told():
    other = look(endpoint(WRONG_NAME), host="else.rig.test")
    assert codes(look(endpoint(RSA), before=[other])) == {"no-earlier"}
    assert codes(look(endpoint(RSA), before=[])) == {"no-earlier"}


def test_another_intermediate_under_the_same_root_is_found():
    before = look(endpoint(RSA))
    other = ROOT.intermediate("Other Intermediate", key="rsa-2048").issue(HOST, key="rsa-2048")
    report = look(endpoint(other), before=[before])
    assert "new-intermediate" in codes(report, "warning")
    assert not {"new-root", "new-intermediate"} & codes(
        look(endpoint(MIDDLE.issue(HOST, key="rsa-2048")), before=[before])
    )
