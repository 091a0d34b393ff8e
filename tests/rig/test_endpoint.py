"""The TLS endpoint with real clients: what each handshake's record says, and swaps under everything that runs."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from https_lab import HOST, OTHER_HOST, https_lab, read_all
from installed import installed

from rig.errors import Misuse
from rig.formats.tls_records import ALERTS, Alert
from rig.servers.https.faults import Fault
from rig.trust import endpoint_connection
from rig.trust.authority import make_root
from rig.trust.endpoint import Endpoint, EndpointHost
from rig.trust.endpoint_context import TlsSettings
from rig.trust.endpoint_handshake import received_alert

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
IMAGE = os.urandom(300_000)


@pytest.fixture
def lab(tmp_path):
    with https_lab(tmp_path) as running:
        yield running


# -- records -----------------------------------------------------------------------------------------------------------


def s_client(lab, ca, *words):
    address = ["-connect", f"127.0.0.1:{lab.port}", "-servername", HOST, "-CAfile", str(ca)]
    command = [installed("openssl"), "s_client", "-verify_return_error", *address, *words]
    subprocess.run(command, input=b"", capture_output=True, timeout=30)


def curl(lab, ca, *words):
    lab.curl("/fw.bin", *words, ca=ca)


def python(lab, ca, version):
    with contextlib.suppress(ssl.SSLError):
        lab.dial(ca=ca, minimum_version=version, maximum_version=version).close()


def mbedtls(lab, ca):
    tls = pytest.importorskip("mbedtls.tls")
    x509 = pytest.importorskip("mbedtls.x509")
    failure = pytest.importorskip("mbedtls.exceptions").TLSError
    store = tls.TrustStore([x509.CRT.from_PEM(ca.read_text())])
    context = tls.ClientContext(tls.TLSConfiguration(trust_store=store, validate_certificates=True))
    session = context.wrap_buffers(HOST)

    def flush():
        sock.sendall(session.peek_outgoing(65536))
        session.consume_outgoing(65536)

    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as sock:
        with contextlib.suppress(failure):
            while session._handshake_state is not tls.HandshakeStep.HANDSHAKE_OVER:
                try:
                    session.do_handshake()
                except tls.WantReadError:
                    flush()
                    session.receive_from_network(sock.recv(65536))
                except tls.WantWriteError:
                    flush()
            session.write(b"GET / HTTP/1.0\r\n\r\n")
        flush()
        sock.recv(65536)


CLIENTS = {
    "s_client, TLS 1.2": (s_client, ("-tls1_2",)),
    "s_client, TLS 1.3": (s_client, ("-tls1_3",)),
    "curl, TLS 1.2": (curl, ("--tls-max", "1.2")),
    "curl, TLS 1.3": (curl, ("--tlsv1.3",)),
    "Python, TLS 1.2": (python, (V12,)),
    "Python, TLS 1.3": (python, (V13,)),
    "mbedTLS": (mbedtls, ()),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_wrong_pin_is_proved_by_the_clients_alert(lab, name):
    client, words = CLIENTS[name]
    client(lab, lab.trust(make_root("Stranger")), *words)
    (told,) = lab.handshakes(1)
    assert (told["outcome"], told["alert"], told["alert_number"]) == ("aborted", "unknown_ca", 48)
    assert (told["server_name"], told["host"], told["received"]) == (HOST, HOST, 0)
    assert told["identity"] == lab.server.endpoint.host(HOST).identity.fingerprint


#: Python does not say that it hangs up; to mbedTLS we have answered and hung up first.
ENDINGS = {"Python": "hung up", "mbedTL": "closed"}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_right_pin_completes_with_version_and_cipher(lab, name):
    client, words = CLIENTS[name]
    client(lab, lab.ca, *words)
    (told,) = lab.handshakes(1, ended=True)
    assert (told["outcome"], told["alert"], told["reason"]) == ("completed", None, "")
    assert told["version"] == ("TLSv1.3" if "1.3" in name else "TLSv1.2")
    assert told["cipher"] in told["ciphers"]
    assert told["version"] in told["versions"]
    assert told["ending"] == ENDINGS.get(name[:6], "close_notify")


def expired(lab):
    begins = datetime.now(UTC) - timedelta(days=100)
    return lab.intermediate.issue(HOST, begins=begins, life=timedelta(days=90))


WRONG = {
    "a certificate that has expired": (expired, 45),
    "another host's certificate": (lambda lab: lab.intermediate.issue("else.rig.test"), 42),
    "a chain without its intermediate": (lambda lab: _bare(lab), 48),
}


def _bare(lab):
    identity = lab.intermediate.issue(HOST)
    return type(identity)(identity.chain[:1], identity.key)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("case", WRONG)
def test_each_way_to_be_wrong_has_its_alert(lab, case, version):
    make, number = WRONG[case]
    lab.call(lab.server.swap, HOST, make(lab))
    python(lab, lab.ca, version)
    (told,) = lab.handshakes(1)
    assert (told["outcome"], told["alert_number"], told["alert"]) == ("aborted", number, ALERTS[number])


def test_an_alert_that_comes_after_the_handshake_is_in_its_record(lab):
    """A TLS 1.3 client that judges late: our side has completed, and then its encrypted alert comes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=str(lab.ca)).wrap_bio(incoming, outgoing, server_hostname=HOST)
    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as sock:
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))
        incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(ssl.SSLError):
            tls.read()
        sock.sendall(outgoing.read())
        (told,) = lab.handshakes(1, ended=True)
    assert (told["outcome"], told["ending"], told["alert"]) == ("completed", "alert", "bad_record_mac")
    assert (told["version"], told["received"]) == ("TLSv1.3", 0)


def test_every_alert_that_openssl_names_is_known():
    """Its table of reasons: a received alert is 1000 and the alert's number; nothing else is taken for one."""
    table = getattr(pytest.importorskip("_ssl"), "err_codes_to_names", None)
    if table is None:
        pytest.skip("this Python keeps no table of OpenSSL's reasons")
    read = {}
    for (_library, code), name in table.items():
        error = ssl.SSLError(1, name)
        error.reason = name
        read[code, name] = received_alert(error)
    expected = {key: Alert(key[0] - 1000) if 1000 <= key[0] < 1256 else None for key in read}
    assert read == expected


def test_a_client_that_checks_names_after_the_handshake_leaves_without_a_request(lab):
    lab.curl(host="else.rig.test")
    (told,) = lab.handshakes(1, ended=True)
    assert (told["server_name"], told["host"]) == ("else.rig.test", HOST)
    assert (told["outcome"], told["received"], told["ending"]) == ("completed", 0, "close_notify")


OWN = {
    "no shared cipher": ("--tls-max 1.2 --ciphers ECDHE-RSA-AES128-SHA", "no shared cipher"),
    "a version too old": ("--tls-max 1.1 --ciphers DEFAULT:@SECLEVEL=0", "unsupported protocol"),
}


@pytest.mark.parametrize("case", OWN)
def test_what_we_refuse_has_our_reason_and_no_alert_of_the_clients(lab, case):
    words, reason = OWN[case]
    assert lab.curl("/fw.bin", *words.split()).status == 0
    (told,) = lab.handshakes(1)
    assert (told["outcome"], told["reason"], told["alert"]) == ("refused", reason, None)


def half_a_hello(sock):
    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00")


def reset(sock):
    half_a_hello(sock)
    time.sleep(0.05)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


LEAVING = {
    "says nothing and hangs up": (lambda sock: None, "hung up"),
    "half a hello and hangs up": (half_a_hello, "hung up"),
    "half a hello and a reset": (reset, "reset"),
    "speaks HTTP": (lambda sock: sock.sendall(b"GET / HTTP/1.1\r\n\r\n") or sock.recv(100), "refused"),
    "speaks nothing we know": (lambda sock: sock.sendall(b"\x00" * 50) or sock.recv(100), "refused"),
}


@pytest.mark.parametrize("case", LEAVING)
def test_a_client_that_leaves_without_a_word_is_recorded_so(lab, case):
    act, outcome = LEAVING[case]
    sock = socket.create_connection(("127.0.0.1", lab.port), timeout=10)
    act(sock)
    sock.close()
    (told,) = lab.handshakes(1)
    assert (told["outcome"], told["alert"]) == (outcome, None)


def test_a_client_that_does_not_go_on_is_given_up(lab, monkeypatch):
    monkeypatch.setattr(endpoint_connection, "HANDSHAKE_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as sock:
        half_a_hello(sock)
        assert read_all(sock) == b""
    (told,) = lab.handshakes(1)
    assert told["outcome"] == "timeout"


# -- swaps -------------------------------------------------------------------------------------------------------------


def shown(lab, host=HOST, **settings):
    with lab.dial(host, **settings) as sock:
        return sock.getpeercert(binary_form=True)


def served(lab, host=HOST):
    from cryptography.hazmat.primitives.serialization import Encoding

    return lab.server.endpoint.host(host).identity.leaf.public_bytes(Encoding.DER)


def new_handshakes_see_the_new_chain(lab):
    before = shown(lab)
    lab.swap(lab.intermediate)
    assert shown(lab) == served(lab), "a new handshake saw another certificate than the one swapped to"
    assert shown(lab) != before


def running_downloads_end_undisturbed(lab):
    lab.publish(IMAGE)
    lab.call(lab.server.faults.add, Fault("stall", 100_000, lasts=0.3))
    got = []
    download = threading.Thread(target=lambda: got.append(lab.curl()))
    with lab.client.events() as events:
        download.start()
        next(event for event in events if event["event"] == "progress" and event["sent"] >= 98_304)
        lab.swap(make_root("Another"))
    download.join()
    assert got[0].exit_status == 0, "a download that ran was disturbed by a swap"
    assert got[0].body == IMAGE
    assert lab.curl().exit_status == 60, "a new handshake is not trusted by the old pin"


def wrong_pins_are_proved(lab):
    python(lab, lab.trust(make_root("Stranger")), V13)
    (told,) = lab.handshakes(1)
    assert (told["outcome"], told["alert"]) == ("aborted", "unknown_ca"), "the client's alert was lost"


def no_session_is_resumed(lab, version=V12):
    context = ssl.create_default_context(cafile=str(lab.ca))
    context.minimum_version = context.maximum_version = version
    with lab.dial(context=context) as first:
        first.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        read_all(first)
        session = first.session
        first.unwrap()
    with lab.dial(context=context, session=session) as again:
        assert not again.session_reused, "a session was resumed: no certificate was shown"
        assert again.getpeercert(binary_form=True) == served(lab)


@pytest.mark.parametrize("check", [new_handshakes_see_the_new_chain, running_downloads_end_undisturbed])
def test_a_swap(lab, check):
    check(lab)


def keeps_serving_the_old_chain(monkeypatch):
    def only_note(host, identity, _settings):
        host.identity = identity

    monkeypatch.setattr(EndpointHost, "show", only_note)


def drops_what_runs(monkeypatch):
    swap = Endpoint.swap

    def dropping(endpoint, *args):
        for connection in list(endpoint._connections):
            connection.abort()
        return swap(endpoint, *args)

    monkeypatch.setattr(Endpoint, "swap", dropping)


def loses_alerts(monkeypatch):
    monkeypatch.setattr(endpoint_connection, "received_alert", lambda _error: None)
    monkeypatch.setattr(endpoint_connection.TlsConnection, "_alert", None)


def keeps_sessions(monkeypatch):
    one = TlsSettings().context()
    monkeypatch.setattr(TlsSettings, "context", lambda _settings: one)


PLANTED = {
    "a record that loses alerts": (loses_alerts, wrong_pins_are_proved),
    "an endpoint that keeps sessions": (keeps_sessions, no_session_is_resumed),
    "an endpoint that keeps serving the old chain": (keeps_serving_the_old_chain, new_handshakes_see_the_new_chain),
    "a swap that drops downloads that run": (drops_what_runs, running_downloads_end_undisturbed),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_noticed(lab, monkeypatch, fault):
    plant, check = PLANTED[fault]
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"another certificate|disturbed|alert was lost|was resumed"):
        check(lab)


def test_a_pinned_intermediate_fails_when_the_issuer_rotates_and_heals_when_it_comes_back(lab):
    """July 2024: the same root, the certificates all valid, and a fleet that pinned the intermediate is cut off."""
    first = lab.server.endpoint.host(HOST).identity
    pinned, root = lab.trust(lab.intermediate), lab.ca
    lab.swap(lab.root.intermediate("Rotated"))
    mbedtls(lab, pinned)
    mbedtls(lab, root)
    lab.call(lab.server.swap, HOST, first)
    mbedtls(lab, pinned)
    told = lab.handshakes(3)
    assert [each["outcome"] for each in told] == ["aborted", "completed", "completed"]
    assert told[0]["alert"] == "unknown_ca"
    assert told[0]["identity"] == told[1]["identity"] != told[2]["identity"]


KINDS = ["rsa-2048", "rsa-3072", "p256", "p384"]


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_of_any_kind_of_key_are_shown_to_devices(lab, kind):
    lab.swap(lab.root.intermediate("Of its kind", key=kind), key=kind)
    mbedtls(lab, lab.ca)
    assert lab.curl("/", "--tlsv1.3").status == 404
    assert [told["outcome"] for told in lab.handshakes(2)] == ["completed"] * 2


def test_hosts_are_swapped_one_by_one_and_names_choose_them(lab):
    lab.swap(lab.root, OTHER_HOST)
    assert shown(lab) == served(lab)
    assert shown(lab, OTHER_HOST) == served(lab, OTHER_HOST)
    names = [(told["server_name"], told["host"]) for told in lab.handshakes(2)]
    assert names == [(HOST, HOST), (OTHER_HOST, OTHER_HOST)]


@pytest.mark.parametrize("version", [V12, V13])
def test_no_session_is_resumed(lab, version):
    no_session_is_resumed(lab, version)


def test_a_swap_to_nonsense_changes_nothing(lab):
    identity = lab.intermediate.issue(HOST)
    wrong = type(identity)(identity.chain, make_root("Other").key)
    with pytest.raises(Misuse, match="does not take"):
        lab.call(lab.server.swap, HOST, wrong)
    with pytest.raises(Misuse, match="no host is called"):
        lab.call(lab.server.swap, "nobody.rig.test", identity)
    assert shown(lab) == served(lab)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_versions_and_suites_are_set_while_it_runs(lab):
    lab.client.ask("tls", host=HOST, maximum="TLSv1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    with lab.dial() as sock:
        assert (sock.version(), sock.cipher()[0]) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    with lab.dial(OTHER_HOST) as sock:
        assert sock.version() == "TLSv1.3"
    lab.client.ask("tls", host=HOST, minimum="TLSv1.3", maximum="TLSv1.3", ciphers=None)
    with pytest.raises(ssl.SSLError):
        lab.dial(maximum_version=V12)


def test_an_old_server_speaks_tls_1_0(lab):
    lab.client.ask("tls", host=HOST, minimum="TLSv1", maximum="TLSv1")
    assert lab.curl("/", "--tlsv1.0", "--ciphers", "DEFAULT:@SECLEVEL=0").status == 404
    assert lab.handshakes(1)[0]["version"] == "TLSv1"


def test_a_server_that_hangs_in_the_handshake_outlasts_its_client_and_nobody_else(lab):
    lab.client.ask("tls", host=HOST, delay=30)
    assert lab.curl("/", "--max-time", "0.5").exit_status == 28
    (told,) = lab.handshakes(1)
    assert (told["outcome"], told["server_name"]) == ("hung up", HOST)
    assert lab.curl("/", host=OTHER_HOST).status == 404


def test_a_short_delay_is_only_one(lab):
    lab.client.ask("tls", delay=0.2)
    assert lab.curl("/").status == 404
    assert lab.handshakes(1)[0]["seconds"] >= 0.2


NONSENSE = {
    "a version": ({"minimum": "TLSv9"}, "no TLS version"),
    "an empty span of versions": ({"minimum": "TLSv1.3", "maximum": "TLSv1.2"}, "are none"),
    "suites": ({"ciphers": "ROT13"}, "no suites"),
    "a delay": ({"delay": -1}, "cannot be delayed"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_settings_that_cannot_be_are_misuse(case):
    settings, message = NONSENSE[case]
    with pytest.raises(Misuse, match=message):
        TlsSettings(**settings).check()


def test_keys_are_in_no_file(lab, tmp_path):
    before = {path: path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file()}
    lab.swap(lab.intermediate)
    now = {path: path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file()}
    assert now == before
    assert not any(b"PRIVATE" in content for content in now.values())
