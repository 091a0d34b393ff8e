"""What an endpoint serves is seen as it is sent, and what cannot be seen is refused by name, in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import subprocess

import checks_look
import pytest
from checks_look import ECDSA, MIDDLE, RSA, look
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from installed import installed
from leaking_responder import hello_flight
from tls_servers import HOST, LOOPBACK, endpoint, s_server, talking
from waiting import HANGS

from rig.errors import Misuse
from rig.trust.look import served as served_module
from rig.trust.look.offer import Offer
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import fetch
from rig.trust.recipe import IdentityRecipe
from rig.trust.revocation import Revocations
from rig.trust.tls.endpoint import Endpoint
from rig.trust.web_pki import WebPki


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


async def certifies_and_is_silent(reader, writer):
    await hello(reader)
    writer.write(hello_flight(RSA, heartbeats=False))
    await reader.read()


async def certifies_and_resets(reader, writer):
    await hello(reader)
    writer.write(hello_flight(RSA, heartbeats=False))
    await writer.drain()
    await resets(reader, writer)


UNFINISHED = {
    "is silent": (certifies_and_is_silent, "not through after 0.5 s"),
    "resets": (certifies_and_resets, "reset"),
}


@pytest.mark.parametrize("case", UNFINISHED)
def test_certificates_are_seen_although_the_handshake_does_not_end(case):
    talk, ended = UNFINISHED[case]
    seen = look(talking(talk), seconds=0.5, maximum="TLSv1.2")
    assert (seen.chain, seen.completed, seen.version, seen.cipher) == (RSA.chain, False, "TLSv1.2", "AES128-SHA")
    assert ended in seen.ended


NAMES = {"a name": (HOST, HOST), "no name": (None, None), "an IP address": ("127.0.0.1", None)}


@pytest.mark.parametrize("case", NAMES)
def test_the_name_is_dialled_and_an_ip_address_is_not(case):
    name, dialled = NAMES[case]

    async def act():
        told = asyncio.get_running_loop().create_future()
        served = Endpoint({HOST: ECDSA}, asyncio.Protocol, tell=lambda shook: told.done() or told.set_result(shook))
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


async def hello(reader):
    return await reader.read(4096)


async def silent(reader, writer):
    await reader.read()


async def hangs_up(reader, writer):
    await hello(reader)


async def resets(reader, writer):
    await hello(reader)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def speaks_http(reader, writer):
    await hello(reader)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def warns_and_leaves(reader, writer):
    await hello(reader)
    writer.write(b"\x15\x03\x03\x00\x02\x01\x70")


async def alerts(reader, writer):
    await hello(reader)
    writer.write(b"\x15\x03\x03\x00\x02\x02\x70")


async def trickles(reader, writer):
    await hello(reader)
    for byte in b"\x16\x03\x03\x40\x00" + bytes(16384):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def mumbles(reader, writer):
    await hello(reader)
    writer.write(b"\x16\x03\x03\x40\x00" + b"\x02" + bytes(16383))
    await reader.read()


def record(message: bytes) -> bytes:
    return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message


#: Chooses TLS 1.2 and AES128-SHA.
SERVER_HELLO = record(b"\x02\x00\x00\x26\x03\x03" + bytes(32) + b"\x00\x00\x2f\x00")


async def certifies_without_end(reader, writer):
    await hello(reader)
    writer.write(SERVER_HELLO + record(b"\x0b\xff\xff\xff" + bytes(1000)))
    while True:
        writer.write(record(bytes(16000)))
        await writer.drain()


async def certifies_nothing(reader, writer):
    await hello(reader)
    writer.write(SERVER_HELLO + record(b"\x0b\x00\x00\x03\x00\x00\x00") + record(b"\x0e\x00\x00\x00"))
    await reader.read()


async def certifies_garbage(reader, writer):
    await hello(reader)
    writer.write(SERVER_HELLO + record(b"\x0b\x00\x00\x0a\x00\x00\x07\x00\x00\x04abcd"))
    await reader.read()


async def certifies_a_version_of_nobodys(reader, writer):
    await hello(reader)
    writer.write(hello_flight(RSA).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"))


HOSTILE = {
    "says nothing": (silent, "timeout"),
    "hangs up": (hangs_up, "closed"),
    "resets": (resets, "reset"),
    "speaks HTTP": (speaks_http, "not TLS"),
    "warns and leaves": (warns_and_leaves, "closed"),
    "refuses the name": (alerts, "alert"),
    "trickles": (trickles, "timeout"),
    "mumbles": (mumbles, "broken"),
    "certificates without end": (certifies_without_end, "too much"),
    "no certificate": (certifies_nothing, "broken"),
    "a certificate of garbage": (certifies_garbage, "broken"),
    "a certificate of version 2": (certifies_a_version_of_nobodys, "broken"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_server_that_is_no_good_is_refused_by_name(case):
    talk, kind = HOSTILE[case]
    with pytest.raises(Refusal) as refusal:
        look(talking(talk), seconds=0.5)
    assert refusal.value.kind == kind
    assert len(str(refusal.value).splitlines()) == 1
    assert "b'" not in str(refusal.value)


@given(data=st.data())
def test_a_flight_with_any_bytes_changed_is_seen_or_refused(data):
    flight = bytearray(hello_flight(RSA, heartbeats=False))
    for _ in range(data.draw(st.integers(1, 6))):
        flight[data.draw(st.integers(0, len(flight) - 1))] = data.draw(st.integers(0, 255))
    look = served_module._Look((LOOPBACK, 1), HOST, Offer(maximum="TLSv1.2"))
    cut = data.draw(st.integers(0, len(flight)))
    for piece in (flight[:cut], flight[cut:], b""):
        if not look.is_over:
            look.feed(bytes(piece))
    with contextlib.suppress(Refusal):
        seen = look.served()
        assert not seen.completed


def test_what_comes_is_bounded_whatever_openssl_would_take(monkeypatch):
    monkeypatch.setattr(served_module, "MOST_RECEIVED", 1000)
    with pytest.raises(Refusal) as refusal:
        look(endpoint(ECDSA.serving(*[MIDDLE.certificate] * 4)))
    assert refusal.value.kind == "too much"


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
