"""Servers that are no good are refused by name, in bounded time; what they showed before that is seen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.trust.look import served as served_module
from rig.trust.look.offer import Offer
from rig.trust.look.refusal import Refusal
from tests.rig.trust.checks_look import ECDSA, MIDDLE, RSA, look
from tests.rig.trust.probe.leaking_responder import hello_flight
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint, talking


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
