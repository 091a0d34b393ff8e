"""What an endpoint serves is seen as it is sent, and what cannot be seen is refused by name, in bounded time."""

from __future__ import annotations

import asyncio
import re
import subprocess

import pytest
from cryptography import x509

from rig.errors import Misuse
from rig.trust.look.offer import Offer
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import fetch
from rig.trust.recipe import IdentityRecipe
from rig.trust.revocation import Revocations
from rig.trust.tls.endpoint import Endpoint
from rig.trust.web_pki import WebPki
from tests.rig.installed import installed
from tests.rig.trust import checks_look
from tests.rig.trust.checks_look import ECDSA, MIDDLE, RSA, look
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint, s_server
from tests.rig.waiting import HANGS


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("case", checks_look.CHAINS)
def test_a_chain_is_seen_as_it_is_sent(case, version):
    checks_look.a_chain_is_seen_as_it_is_sent(case, version)


def test_a_chain_that_fills_many_records_is_seen_whole():
    identity = WebPki.make().issue(HOST, IdentityRecipe(padding=64))
    assert look(endpoint(identity)).chain == identity.chain


def test_a_chain_that_openssl_does_not_take_is_too_much():
    with pytest.raises(Refusal, match="more certificates") as refusal:
        look(endpoint(WebPki.make().issue(HOST, IdentityRecipe(padding=160))))
    assert refusal.value.kind == "too much"


def test_of_two_identities_the_offer_chooses(tmp_path):
    async def act():
        async with s_server(tmp_path, RSA, second=ECDSA) as port:
            where = (LOOPBACK, port)
            return [
                (await fetch(where, HOST, offer=Offer(maximum="TLSv1.2", ciphers=kind))).leaf
                for kind in ("aRSA", "aECDSA", "kRSA")
            ]

    assert asyncio.run(act()) == [RSA.leaf, ECDSA.leaf, RSA.leaf]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_stapled_response_is_seen(tmp_path, version):
    staple = Revocations(MIDDLE).response(RSA.leaf)
    (tmp_path / "staple.der").write_bytes(staple)
    words = (version, "-status_file", "staple.der")
    assert look(s_server(tmp_path, RSA, *words)).staple == staple
    assert look(s_server(tmp_path, RSA, version)).staple is None


def test_the_chain_is_what_s_client_shows(tmp_path):
    async def act():
        async with endpoint(ECDSA) as port:
            seen = await fetch((LOOPBACK, port), HOST)
            where = ("-connect", f"{LOOPBACK}:{port}", "-servername", HOST)
            command = [installed("openssl"), "s_client", *where, "-showcerts"]
            done = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, timeout=HANGS)
            return seen, done.stdout

    seen, told = asyncio.run(act())
    blocks = re.findall(rb"-----BEGIN CERT.*?-----END CERTIFICATE-----", told, re.S)
    assert [x509.load_pem_x509_certificate(block) for block in blocks[: len(seen.chain)]] == list(seen.chain)


def test_certificates_are_seen_although_the_server_wants_ours(tmp_path):
    seen = look(s_server(tmp_path, RSA, "-tls1_2", "-Verify", "1", "-verify_return_error"))
    assert seen.chain == RSA.chain
    assert not seen.completed
    assert "alert" in seen.ended or "handshake" in seen.ended


NAMES = {"a name": (HOST, HOST), "no name": (None, None), "an IP address": ("127.0.0.1", None)}


@pytest.mark.parametrize("case", NAMES)
def test_the_name_is_dialled_and_an_ip_address_is_not(case):
    name, dialled = NAMES[case]

    async def act():
        told = asyncio.get_running_loop().create_future()
        served = Endpoint(
            {HOST: ECDSA}, asyncio.Protocol, on_handshake=lambda shook: told.done() or told.set_result(shook)
        )
        await fetch((LOOPBACK, await served.start(LOOPBACK, 0)), name)
        shook = await asyncio.wait_for(told, HANGS)
        served.close()
        return shook.hello.server_name

    assert asyncio.run(act()) == dialled


OFFERS = {
    "a version that it does not speak": ({"minimum": "TLSv1.3"}, "protocol_version"),
    "no suite of its kind of key": ({"maximum": "TLSv1.2", "ciphers": "aRSA"}, "handshake_failure"),
    "no group that it knows": ({"maximum": "TLSv1.2", "ciphers": "ECDHE", "groups": ("X448",)}, "handshake_failure"),
}


@pytest.mark.parametrize("case", OFFERS)
def test_an_offer_that_shares_nothing_is_refused_with_the_servers_alert(case):
    offer, alert = OFFERS[case]
    with pytest.raises(Refusal) as refusal:
        look(endpoint(ECDSA, maximum="TLSv1.2"), **offer)
    assert (refusal.value.kind, refusal.value.alert.name) == ("alert", alert)
    assert refusal.value.is_nothing_shared


UNREACHED = {
    "no such name": (("nobody.invalid", 443), "no such name"),
    "a name that is none": (("a..b", 443), "no such name"),
    "nobody listens": ((LOOPBACK, 1), "refused"),
    "no way there": (("255.255.255.255", 443), "unreachable"),
}


@pytest.mark.parametrize("case", UNREACHED)
def test_who_cannot_be_reached_is_refused_by_name(case):
    address, kind = UNREACHED[case]
    with pytest.raises(Refusal) as refusal:
        asyncio.run(fetch(address, None, seconds=5))
    assert refusal.value.kind == kind


MISUSES = {
    "a port that is none": ((LOOPBACK, 70000), HOST, {}),
    "a name that is none": ((LOOPBACK, 443), "a..b", {}),
    "a version that is none": ((LOOPBACK, 443), HOST, {"minimum": "TLSv2"}),
    "suites that are none": ((LOOPBACK, 443), HOST, {"ciphers": "nonsense"}),
    "groups that are none": ((LOOPBACK, 443), HOST, {"groups": ("nonsense",)}),
    "signatures that are none": ((LOOPBACK, 443), HOST, {"signatures": ("nonsense",)}),
}


@pytest.mark.parametrize("case", MISUSES)
def test_what_cannot_be_dialled_or_offered_is_misuse(case):
    address, name, offer = MISUSES[case]
    with pytest.raises(Misuse):
        asyncio.run(fetch(address, name, offer=Offer(**offer)))
