"""What a TLS client's bytes show without a key: read right however they are cut, and never taken for more."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.formats.tls_records import ALERTS, LONGEST_FRAGMENT, Alert, ClientRecords, Malformed, RecordReader


def hello(name="ota.rig.test", **settings) -> bytes:
    """A genuine ClientHello, as OpenSSL sends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    for setting, value in settings.items():
        setattr(context, setting, value)
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


HELLO = hello()
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
OFFERS = {
    "up to 1.3": ({"minimum_version": V12}, (0x0304, 0x0303)),
    "1.3 only": ({"minimum_version": V13}, (0x0304,)),
    "no list of versions, up to 1.2": ({"maximum_version": V12}, (0x0303, 0x0302, 0x0301, 0x0300)),
}


def read(data, *, sizes=(1 << 20,)) -> ClientRecords:
    records = ClientRecords()
    sizes = [*sizes, len(data)]
    while data:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        records.feed(data[:size])
        data = data[size:]
    return records


@pytest.mark.parametrize("case", OFFERS)
def test_versions_that_are_offered_are_read(case):
    settings, versions = OFFERS[case]
    assert read(hello(**settings)).hello.versions == versions


def test_the_name_is_read_and_a_hello_without_one_has_none():
    assert read(hello("OTA9.Rig.Test")).hello.server_name == "ota9.rig.test"
    assert read(hello(None)).hello.server_name is None


def test_a_client_that_offers_a_session_is_known_by_its_number():
    first = hello(maximum_version=V12)
    number, end = bytes(range(32)), 5 + 4 + 2 + 32  # of the record's head, the message's, the version and the random
    longer = (int.from_bytes(first[6:9], "big") + 32).to_bytes(3, "big")
    again = first[:6] + longer + first[9:end] + bytes([32]) + number + first[end + 1 :]
    again = again[:3] + (len(again) - 5).to_bytes(2, "big") + again[5:]
    assert not read(first).hello.offers_session
    assert read(again).hello.offers_session


def test_suites_are_those_openssl_says_it_offers():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    offered = [entry["id"] & 0xFFFF for entry in context.get_ciphers()]
    assert [number for number in read(HELLO).hello.ciphers if number != 0xFF] == offered


@given(st.lists(st.integers(1, 200)), st.integers(1, 300))
def test_a_hello_is_the_same_however_it_is_cut(sizes, fragment):
    body = HELLO[5:]
    pieces = [body[start : start + fragment] for start in range(0, len(body), fragment)]
    records = b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)
    assert read(records, sizes=sizes).hello == read(HELLO).hello


@given(st.data())
def test_a_hello_with_any_bytes_changed_is_read_or_is_malformed(data):
    spoilt = bytearray(HELLO)
    for _ in range(data.draw(st.integers(1, 8))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        hello = read(bytes(spoilt)).hello
        assert hello is None or len(hello.ciphers) <= len(spoilt) // 2


@given(st.binary(max_size=400))
def test_no_bytes_are_anything_but_read_or_malformed(data):
    with contextlib.suppress(Malformed):
        assert read(data).hello is None


@given(st.integers(20, 24), st.integers(LONGEST_FRAGMENT + 1, 65535))
def test_a_record_that_is_too_long_is_refused_at_its_header(kind, length):
    with pytest.raises(Malformed):
        list(RecordReader().feed(bytes([kind, 3, 3]) + length.to_bytes(2, "big")))


def test_an_alert_is_read_until_the_client_encrypts():
    alert = b"\x15\x03\x03\x00\x02\x02\x30"
    assert read(HELLO + alert).alert == Alert(48)
    assert str(read(alert).alert) == "unknown_ca (48)"
    assert read(HELLO + b"\x14\x03\x03\x00\x01\x01" + alert).alert is None


def test_names_of_alerts_are_those_of_openssl():
    names = {int(each): each.name.removeprefix("ALERT_DESCRIPTION_").lower() for each in ssl.AlertDescription}
    names[90] = "user_canceled"  # as the RFCs write it
    assert {number: ALERTS[number] for number in names} == names
    assert Alert(200).name == "alert-200"
