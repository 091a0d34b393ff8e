"""Heartbeats: who leaks is told from who answers rightly and from who knows none, and nothing is taken meanwhile."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.formats.tls_heartbeat import Heartbeats, HeartbeatTest, read_server_hello
from rig.formats.tls_old_hello import WIDE
from rig.formats.tls_records import ClientRecords, Malformed, RecordReader
from rig.trust.look.refusal import Refusal
from rig.trust.probe.heartbleed import is_of_version
from tests.rig.trust.probe import checks_heartbleed
from tests.rig.trust.probe.checks_heartbleed import BEHAVIOURS, IDENTITY, ask
from tests.rig.trust.probe.leaking_responder import SECRET, drops, hello_flight, is_silent, record
from tests.rig.trust.tls_servers import HOST, endpoint, s_server, talking

RANDOM = bytes(range(96))


@pytest.mark.parametrize("version", [0x0301, 0x0302, 0x0303])
@pytest.mark.parametrize("case", BEHAVIOURS)
def test_a_responder_is_told_by_what_it_makes_of_heartbeats(case, version):
    checks_heartbleed.a_responder_is_told_by_what_it_makes_of_heartbeats(case, version)


def test_openssl_of_today_has_no_heartbeats(tmp_path):
    assert ask(s_server(tmp_path, IDENTITY, "-tls1_2")) is Heartbeats.NONE


def test_who_takes_tls_1_3_alone_refuses_every_hello_for_its_version(tmp_path):
    with pytest.raises(Refusal) as refusal:
        ask(s_server(tmp_path, IDENTITY, "-tls1_3"))
    assert is_of_version(refusal.value)


@pytest.mark.parametrize("named", [True, False, None], ids=["named", "not named", "named or not"])
@pytest.mark.parametrize("version", checks_heartbleed.VERSIONS)
@pytest.mark.parametrize("suite", checks_heartbleed.SUITES)
def test_who_takes_one_suite_alone_leaks_by_it(suite, version, named):
    checks_heartbleed.who_takes_one_suite_alone_leaks_by_it(suite, version, named)


def test_every_suite_that_is_offered_is_one_to_leak_by():
    """Each in turn, of all that the widest hello has."""
    for suite in WIDE.suites:
        responder = checks_heartbleed.restricted(suites=(suite,))
        assert checks_heartbleed.verdict_of(responder) == "vulnerable", f"{suite:04x}"


@pytest.mark.parametrize("case", checks_heartbleed.PECULIAR)
def test_who_is_peculiar_leaks_all_the_same(case):
    checks_heartbleed.who_is_peculiar_leaks_all_the_same(case)


def test_another_server_without_a_name_is_asked_too():
    checks_heartbleed.another_server_without_a_name_is_asked_too(None)
    checks_heartbleed.an_old_server_without_a_name_is_asked_too(None)


def test_hellos_that_are_refused_say_nothing():
    checks_heartbleed.hellos_that_are_refused_say_nothing(None)


def test_who_says_nothing_of_heartbeats_and_answers_none_has_none():
    responder = checks_heartbleed.restricted(is_silent, announces=False)
    assert checks_heartbleed.verdict_of(responder) == "none"


def test_whoever_answers_the_first_hello_sees_two_connections():
    responder = checks_heartbleed.restricted(drops)
    assert checks_heartbleed.verdict_of(responder) == "correct"
    assert responder.connections == 2


def test_our_endpoint_has_no_heartbeats():
    assert ask(endpoint(IDENTITY)) is Heartbeats.NONE


def test_a_leaking_server_gives_nothing_away_but_what_it_was_sent(tmp_path):
    checks_heartbleed.a_leaking_server_gives_nothing_away_but_what_it_was_sent(tmp_path)


async def hangs_up(reader, writer):
    await reader.read(4096)


async def speaks_http(reader, writer):
    await reader.read(4096)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def never_ends_its_hello(reader, writer):
    while True:
        writer.write(record(22, 0x0303, b"\x0b\x00\x10\x00" + bytes(4096)))
        await writer.drain()


async def is_mute(reader, writer):
    await reader.read()


HOSTILE = {
    "hangs up": (hangs_up, "closed"),
    "speaks HTTP": (speaks_http, "not TLS"),
    "never ends its hello": (never_ends_its_hello, "not TLS"),
    "says nothing": (is_mute, "timeout"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_who_does_not_come_to_the_question_is_refused_by_name(case):
    talk, kind = HOSTILE[case]
    with pytest.raises(Refusal) as refusal:
        ask(talking(talk), seconds=1)
    assert refusal.value.kind == kind


def test_the_hello_is_one_that_openssl_and_our_own_reader_take():
    records = ClientRecords()
    records.feed(HeartbeatTest(HOST, RANDOM).to_send())
    assert records.hello.server_name == HOST
    assert records.hello.versions[0] == 0x0303
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    offered = {entry["id"] & 0xFFFF for entry in context.get_ciphers()}
    assert len(offered & set(records.hello.ciphers)) > 10


@given(st.lists(st.integers(1, 500)), st.sampled_from(list(BEHAVIOURS)))
def test_the_verdict_is_the_same_however_the_answer_is_cut(sizes, case):
    behaviour, verdict = BEHAVIOURS[case]
    test = HeartbeatTest(HOST, RANDOM)
    test.to_send()
    feed_cut(test, hello_flight(IDENTITY), sizes)
    asked = [one.fragment for one in RecordReader().feed(test.to_send())]
    answers = [behaviour(one + SECRET * 9, len(one)) for one in asked]
    feed_cut(test, b"".join(record(24, 0x0303, one) for one in answers if one), sizes)
    test.ended()
    assert test.verdict == verdict


def feed_cut(test, data, sizes):
    for size in sizes:
        test.feed(data[:size])
        data = data[size:]
    test.feed(data)


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_are_no_verdict_of_a_leak_or_are_malformed(data, after_hello):
    test = HeartbeatTest(HOST, RANDOM)
    with contextlib.suppress(Malformed):
        if after_hello:
            test.feed(hello_flight(IDENTITY))
        test.feed(record(22, 0x0303, data))
        test.feed(record(24, 0x0303, b"\x01" + data))
    assert test.verdict is not Heartbeats.VULNERABLE


@given(st.binary(max_size=120))
def test_a_server_hello_is_read_or_malformed(data):
    with contextlib.suppress(Malformed):
        version, answers = read_server_hello(data)
        assert 0 <= version < 65536
        assert not answers or b"\x00\x0f\x00\x01\x01" in data
