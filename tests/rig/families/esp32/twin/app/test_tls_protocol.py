"""An ESP32's TLS client on the wire: versions and suites, its hello, its alerts, goodbyes and noise."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.firmware.behaviour import TlsBuild
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.twin.app.tls import TlsClient, TlsFailed
from rig.formats.certificate_chain import read_pem
from rig.formats.tls_records import ClientRecords
from tests.rig.families.esp32.twin.app import checks_tls as checks_esp_tls
from tests.rig.families.esp32.twin.app.app_board import checked, https, world_of
from tests.rig.families.esp32.twin.app.app_server import HOST, context
from tests.rig.families.esp32.twin.app.checks_tls import LEAF, ROOT, serve, server, shake_hands, trusting

pytest.importorskip("mbedtls.tls", reason="python-mbedtls is not installed")

#: What a server insists on: a suite that is agreed on, or mbedTLS's error and OpenSSL's.
PROTOCOLS: dict[str, tuple[dict[str, object], str | tuple[int, str]]] = {
    "anything": ({}, "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"),
    "AES-128-GCM": ({"ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256"),
    "CBC": ({"ciphers": "ECDHE-RSA-AES256-SHA384"}, "TLS-ECDHE-RSA-WITH-AES-256-CBC-SHA384"),
    "RSA key exchange, CCM": ({"ciphers": "AES128-CCM"}, "TLS-RSA-WITH-AES-128-CCM"),
    "TLS 1.3 alone": ({"minimum_version": ssl.TLSVersion.TLSv1_3}, (-0x7780, "UNSUPPORTED_PROTOCOL")),
    "TLS 1.1 at most": (
        {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1,
         "ciphers": "DEFAULT:@SECLEVEL=0"},
        (-0x6E80, "TLSV1_ALERT_PROTOCOL_VERSION"),
    ),
    "ChaCha alone": ({"ciphers": "ECDHE-RSA-CHACHA20-POLY1305"}, (-0x7780, "NO_SHARED_CIPHER")),
    "DHE alone": ({"ciphers": "DHE-RSA-AES256-GCM-SHA384"}, (-0x7780, "NO_SHARED_CIPHER")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("case", PROTOCOLS)
def test_only_tls_1_2_with_the_suites_of_a_device_is_spoken(case):
    knobs, expected = PROTOCOLS[case]
    shaken = shake_hands(trusting(ROOT), server(**knobs))
    if isinstance(expected, str):
        assert (shaken.cipher, shaken.version) == (expected, "TLSv1.2")
    else:
        assert (shaken.code, shaken.server_error) == expected


OLD_TLS = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1,
           "ciphers": "DEFAULT:@SECLEVEL=0"}  # fmt: skip
DHE = {"ciphers": "DHE-RSA-AES256-GCM-SHA384"}
#: What a server insists on and the release of ESP-IDF: the version and suite agreed on, or nothing.
RELEASES: dict[str, tuple[dict[str, object], tuple[int, int], tuple[str, str] | None]] = {
    "DHE, 4.4": (DHE, (4, 4), ("TLSv1.2", "TLS-DHE-RSA-WITH-AES-256-GCM-SHA384")),
    "DHE, 5.0": (DHE, (5, 0), None),
    "DHE, 5.10": (DHE, (5, 10), None),
    "TLS 1.1, 4.4": (OLD_TLS, (4, 4), ("TLSv1.1", "TLS-ECDHE-RSA-WITH-AES-256-CBC-SHA")),
    "TLS 1.1, 5.0": (OLD_TLS, (5, 0), None),
    "anything, 4.4": ({}, (4, 4), ("TLSv1.2", "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384")),
}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("case", RELEASES)
def test_older_releases_speak_older_tls(case):
    knobs, release, expected = RELEASES[case]
    shaken = shake_hands(trusting(ROOT), server(**knobs), build=TlsBuild(Idf(*release)))
    assert (shaken.version, shaken.cipher) == (expected or ("", ""))


#: The key of a server's certificate, and what a device makes of it that was built without ECDSA.
RSA_ONLY = {
    "an ECDSA certificate": ("p256", (-0x7780, "NO_SHARED_CIPHER")),
    "an RSA certificate": ("rsa-2048", (0, "")),
}


@pytest.mark.parametrize("case", RSA_ONLY)
def test_a_build_without_ecdsa_shares_no_suite_with_an_ecdsa_server(case):
    key, expected = RSA_ONLY[case]
    shaken = shake_hands(trusting(ROOT), server(ROOT.issue(HOST, key=key)), build=TlsBuild(ecdsa=False))
    assert (shaken.code, shaken.server_error) == expected


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_alert_is_of_the_version_that_is_spoken():
    shaken = shake_hands(trusting(), server(**OLD_TLS), build=TlsBuild(Idf(4, 4)))
    assert (shaken.code, shaken.server_error) == (-0x7680, "TLSV1_ALERT_UNKNOWN_CA")


def test_an_image_speaks_the_tls_of_its_release():
    for idf, speaks_dhe in (("4.4", True), ("5.0", False)):
        world, records = world_of(https(idf=idf)), ClientRecords()
        carry_out, sent = world.board.tcp.on_order, []
        world.board.tcp.on_order = lambda order, what, sent=sent, go=carry_out: (
            sent.append(what) if order == "send" else None, go(order, what),
        )  # fmt: skip
        checked(world)
        records.feed(sent[0])
        assert (0x009E in records.hello.ciphers) == speaks_dhe


def test_a_hello_offers_what_a_device_offers_and_names_the_host():
    client, records = TlsClient(HOST, trusting(ROOT)), ClientRecords()
    records.feed(bytes(client.outgoing))
    assert records.hello is not None
    assert records.hello.server_name == HOST
    assert max(records.hello.versions) == 0x0303
    assert 0xC02F in records.hello.ciphers
    assert not {0xCCA8, 0xCCA9, 0xCCAA, 0x1301, 0x1302, 0x1303} & set(records.hello.ciphers)


def test_nothing_but_the_alert_is_sent_to_a_server_that_is_not_trusted(tmp_path):
    checks_esp_tls.nothing_but_the_alert_is_sent_to_a_server_that_is_not_trusted(tmp_path)


def test_a_server_s_goodbye_ends_what_can_be_read():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, client = context(LEAF).wrap_bio(incoming, outgoing, server_side=True), TlsClient(HOST, trusting(ROOT))
    while not client.established:
        incoming.write(bytes(client.outgoing))
        client.outgoing.clear()
        serve(peer)
        client.receive(outgoing.read())
    incoming.write(bytes(client.outgoing))
    peer.do_handshake()
    peer.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        peer.unwrap()
    client.receive(outgoing.read())
    assert (bytes(client.plain), client.ended) == (b"last words", True)


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 3000), st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_whatever_a_server_says_the_client_goes_on_or_fails_by_name(pieces, at, value):
    """Noise, and a true flight with one byte changed."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, client = context(LEAF).wrap_bio(incoming, outgoing, server_side=True), TlsClient(HOST, trusting(ROOT))
    incoming.write(bytes(client.outgoing))
    serve(peer)
    flight = bytearray(outgoing.read())
    flight[at % len(flight)] ^= value
    with contextlib.suppress(TlsFailed):
        for piece in (flight[:at], *pieces, flight[at:]):
            client.receive(bytes(piece))
    assert not client.established


def test_what_is_no_pem_is_refused_by_name():
    with pytest.raises(Misuse, match="certificate pin: no certificates"):
        read_pem("nothing", "certificate pin")
