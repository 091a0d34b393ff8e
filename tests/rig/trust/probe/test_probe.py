"""`rig trust probe`: what it finds at endpoints that are as they should be, and at those that are not."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from rig.trust.certificate_errors import UNREADABLE
from rig.trust.probe import chain_view
from rig.trust.probe.probe import ProbePlan, Target, probe
from tests.rig.trust.probe import checks_probe
from tests.rig.trust.probe.probe_lab import ECDSA, MIDDLE, NOW, ROOTS, RSA, codes, look, plan
from tests.rig.trust.tls_servers import HOST, endpoint, s_server, talking


def test_an_endpoint_as_it_should_be_has_nothing_broken(tmp_path):
    report = look(s_server(tmp_path, RSA, second=ECDSA), asks_heartbeats=True)
    assert (codes(report), report.exit_status) == ({"dual"}, 0)
    (address,) = report.addresses
    assert {chain.leaf.key: set(chain.clients) for chain in address.chains} == {
        "p256": {"TLSv1.2", "TLSv1.3", "esp32", "ecdsa", "chacha"},
        "rsa-2048": {"rsa", "rsa-2014"},
    }
    assert all((chain.in_order, chain.complete, chain.has_root) == (True, True, False) for chain in address.chains)
    assert all(chain.roots == ("Probe Root",) for chain in address.chains)
    assert address.heartbeats == "none"


@pytest.mark.parametrize("case", checks_probe.CLUMSY)
def test_what_is_clumsy_is_a_warning(case):
    checks_probe.what_is_clumsy_is_a_warning(case)


def test_silence_to_heartbeats_is_not_known():
    checks_probe.silence_to_heartbeats_is_not_known(None)


DER = ECDSA.leaf.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("case", checks_probe.CHAINS)
def test_what_is_wrong_with_a_chain_is_found(case):
    checks_probe.what_is_wrong_with_a_chain_is_found(case)


@given(data=st.data())
def test_a_certificate_with_any_bytes_changed_is_described_or_cannot_be_read(data):
    der = bytearray(DER)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(*UNREADABLE):
        leaf = x509.load_der_x509_certificate(bytes(der))
        described = chain_view.view_chain((leaf, MIDDLE.certificate), HOST, (), ROOTS, NOW)
        assert (described.flaws == ()) is (bytes(der) == DER)


@pytest.mark.parametrize("case", checks_probe.NAMES)
def test_a_star_covers_one_label_and_no_more(case):
    checks_probe.a_star_covers_one_label_and_no_more(case)


SETTINGS = {
    "1.3 only": ({"minimum": "TLSv1.3"}, {"esp32-locked-out", "rsa-locked-out"}),
    "ChaCha only": ({"maximum": "TLSv1.2", "ciphers": "CHACHA20"}, {"esp32-locked-out", "rsa-locked-out"}),
    "old versions": ({"minimum": "TLSv1"}, {"old-version", "rsa-locked-out"}),
    "today's": ({}, {"rsa-locked-out"}),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_who_is_locked_out_is_found(case):
    settings, expected = SETTINGS[case]
    report = look(endpoint(ECDSA, **settings))
    assert codes(report) == expected
    assert report.exit_status == (1 if "esp32-locked-out" in expected else 0)


def test_an_address_that_cannot_be_probed_is_told_and_the_others_are_probed():
    report = look(endpoint(RSA), talking(hangs_up))
    assert [address.error is None for address in report.addresses] == [True, False]
    assert (codes(report, "unknown"), report.exit_status) == ({"not-probed"}, 3)


def test_who_shows_certificates_and_lets_nobody_in_is_found(tmp_path):
    report = look(s_server(tmp_path, RSA, "-tls1_2", "-Verify", "1", "-verify_return_error"))
    assert {"not-completed", "esp32-locked-out"} <= codes(report)
    assert report.addresses[0].chains[0].leaf.key == "rsa-2048"


async def hangs_up(reader, writer):
    await reader.read(10)


def test_a_name_of_nobody_is_told():
    (report,) = asyncio.run(probe([Target("nobody.invalid")], plan()))
    assert report.exit_status == 3
    assert "nobody.invalid" in report.findings[0].text


def test_every_address_of_a_name_is_probed():
    """`localhost` has an address of each family, where the machine has them."""

    async def act():
        async with endpoint(RSA) as port:
            return await probe([Target("localhost", port)], ProbePlan(roots=ROOTS, seconds=5))

    (report,) = asyncio.run(act())
    expected = {entry[4][0] for entry in socket.getaddrinfo("localhost", 443, type=socket.SOCK_STREAM)}
    assert {address.address for address in report.addresses} == expected
