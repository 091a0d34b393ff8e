"""Who takes a certificate back is found by every source, and no source is believed that is not signed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.trust.probe.probe import Target, probe
from rig.trust.probe.revocation_check import judge_crl, judge_ocsp
from rig.trust.revocation import must_staple
from tests.rig.trust.probe import checks_probe
from tests.rig.trust.probe.probe_lab import ECDSA, MIDDLE, NOW, RSA, codes, look, plan
from tests.rig.trust.probe.revocation_server import RevocationServer
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint, s_server


def revocation(spoils=None, *, revoke=True, crl=True, ocsp=True, asks=True):
    """What is found of a certificate that is taken back, or not; and what was asked."""

    async def act():
        async with RevocationServer(MIDDLE).serving() as server:
            identity = MIDDLE.issue(HOST, key="rsa-2048", extensions=server.places(MIDDLE, crl=crl, ocsp=ocsp))
            if revoke:
                server.of(MIDDLE).revoke(identity.leaf)
            server.spoils = spoils or server.spoils
            async with endpoint(identity) as port:
                (report,) = await probe([Target(HOST)], plan((LOOPBACK, port), asks_revocation=asks))
            return report, server.asked

    return asyncio.run(act())


SOURCES = {"by CRL": {"ocsp": False}, "by OCSP": {"crl": False}, "by both": {}}


@pytest.mark.parametrize("case", SOURCES)
def test_a_certificate_that_is_taken_back_is_found(case):
    report, asked = revocation(**SOURCES[case])
    assert len(report.found("revoked")) == len(asked) == len(report.addresses[0].revocation)
    assert report.exit_status == 1
    sound, _ = revocation(revoke=False, **SOURCES[case])
    assert {view.status for view in sound.addresses[0].revocation} == {"good"}
    assert not sound.findings


SPOILT = {
    "garbage": lambda _body: b"garbage",
    "nothing": lambda _body: b"",
    "one byte changed": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
    "far too much": lambda _body: bytes(17 * 1024 * 1024),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_source_that_is_no_good_is_not_believed_and_is_told(case):
    report, _ = revocation(SPOILT[case], revoke=False)
    assert codes(report) == {"revocation-unknown"}
    assert {view.status for view in report.addresses[0].revocation} <= {"invalid", "unreachable"}


def test_nobody_is_asked_when_nobody_is_to_be():
    report, asked = revocation(asks=False)
    assert (asked, report.addresses[0].revocation) == ([], ())


STAPLES = {
    "good": (lambda known, leaf: known.response(leaf), "good", set()),
    "over": (lambda known, leaf: known.response(leaf, NOW - timedelta(days=30)), "stale", {"bad-staple"}),
    "of another certificate": (lambda known, _leaf: known.response(ECDSA.leaf), "invalid", {"bad-staple"}),
    "a refusal": (lambda known, _leaf: known.answer(b"garbage"), "invalid", {"bad-staple"}),
    "revoked": (lambda known, leaf: known.revoke(leaf) or known.response(leaf), "revoked", {"revoked"}),
}


@pytest.mark.parametrize("case", STAPLES)
def test_a_staple_is_judged(case, tmp_path):
    make, status, expected = STAPLES[case]
    identity = MIDDLE.issue(HOST, key="rsa-2048", extensions=[must_staple()])
    (tmp_path / "staple").write_bytes(make(RevocationServer(MIDDLE).of(MIDDLE), identity.leaf))
    report = look(s_server(tmp_path, identity, "-status_file", "staple"))
    assert [(view.source, view.status) for view in report.addresses[0].revocation] == [("staple", status)]
    assert codes(report, "broken") == expected


KNOWN = RevocationServer(MIDDLE).of(MIDDLE)
KNOWN.revoke(RSA.leaf)
JUDGES = {"OCSP": (judge_ocsp, KNOWN.response(RSA.leaf)), "CRL": (judge_crl, KNOWN.crl())}


@pytest.mark.parametrize("case", JUDGES)
@given(data=st.data())
def test_no_change_makes_a_revocation_anything_but_invalid(case, data):
    judge, body = JUDGES[case]
    assert judge(body, RSA.leaf, MIDDLE.certificate, NOW)[0] == "revoked"
    spoilt = bytearray(body)
    for _ in range(data.draw(st.integers(1, 6))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
    assert judge(bytes(spoilt), RSA.leaf, MIDDLE.certificate, NOW)[0] in ("invalid", "revoked")


@pytest.mark.parametrize("case", JUDGES)
@given(body=st.binary(max_size=300))
def test_no_bytes_are_a_source(case, body):
    assert JUDGES[case][0](body, RSA.leaf, MIDDLE.certificate, NOW)[0] == "invalid"


def test_a_source_of_another_authority_is_not_believed(tmp_path):
    checks_probe.a_source_of_another_authority_is_not_believed(tmp_path)


def test_a_deputy_is_believed_while_its_certificate_lasts():
    checks_probe.a_deputy_is_believed_while_its_certificate_lasts(None)
