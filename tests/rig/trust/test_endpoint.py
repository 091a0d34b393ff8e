"""The TLS endpoint with real clients: what the record of each handshake says of whom."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from datetime import UTC, datetime, timedelta

import pytest

from rig.formats.tls_records import ALERTS, Alert
from rig.trust.authority import make_root
from rig.trust.tls import connection as endpoint_connection
from rig.trust.tls.handshake import received_alert
from tests.rig.servers.https.https_lab import HOST, https_lab, read_all
from tests.rig.trust.tls_clients import CLIENTS, V12, V13, python


@pytest.fixture
def lab(tmp_path):
    with https_lab(tmp_path) as running:
        yield running


@pytest.mark.parametrize("name", CLIENTS)
def test_a_wrong_pin_is_proved_by_the_clients_alert(lab, name):
    client, words = CLIENTS[name]
    client(lab, lab.trust(make_root("Stranger")), *words)
    (handshake,) = lab.handshakes(1)
    assert (handshake["outcome"], handshake["alert"], handshake["alert_number"]) == ("aborted", "unknown_ca", 48)
    assert (handshake["server_name"], handshake["host"], handshake["received"]) == (HOST, HOST, 0)
    assert handshake["identity"] == lab.server.endpoint.host(HOST).identity.fingerprint


#: Python does not say that it hangs up; to mbedTLS we have answered and hung up first.
ENDINGS = {"Python": "hung up", "mbedTL": "closed"}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_right_pin_completes_with_version_and_cipher(lab, name):
    client, words = CLIENTS[name]
    client(lab, lab.ca, *words)
    (handshake,) = lab.handshakes(1, ended=True)
    assert (handshake["outcome"], handshake["alert"], handshake["reason"]) == ("completed", None, "")
    assert handshake["version"] == ("TLSv1.3" if "1.3" in name else "TLSv1.2")
    assert handshake["cipher"] in handshake["ciphers"]
    assert handshake["version"] in handshake["versions"]
    assert handshake["ending"] == ENDINGS.get(name[:6], "close_notify")


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
    (handshake,) = lab.handshakes(1)
    assert (handshake["outcome"], handshake["alert_number"], handshake["alert"]) == ("aborted", number, ALERTS[number])


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
        (handshake,) = lab.handshakes(1, ended=True)
    assert (handshake["outcome"], handshake["ending"], handshake["alert"]) == ("completed", "alert", "bad_record_mac")
    assert (handshake["version"], handshake["received"]) == ("TLSv1.3", 0)


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
    (handshake,) = lab.handshakes(1, ended=True)
    assert (handshake["server_name"], handshake["host"]) == ("else.rig.test", HOST)
    assert (handshake["outcome"], handshake["received"], handshake["ending"]) == ("completed", 0, "close_notify")


OWN = {
    "no shared cipher": ("--tls-max 1.2 --ciphers ECDHE-RSA-AES128-SHA", "no shared cipher"),
    "a version too old": ("--tls-max 1.1 --ciphers DEFAULT:@SECLEVEL=0", "unsupported protocol"),
}


@pytest.mark.parametrize("case", OWN)
def test_what_we_refuse_has_our_reason_and_no_alert_of_the_clients(lab, case):
    words, reason = OWN[case]
    assert lab.curl("/fw.bin", *words.split()).status == 0
    (handshake,) = lab.handshakes(1)
    assert (handshake["outcome"], handshake["reason"], handshake["alert"]) == ("refused", reason, None)


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
    (handshake,) = lab.handshakes(1)
    assert (handshake["outcome"], handshake["alert"]) == (outcome, None)


def test_a_client_that_does_not_go_on_is_given_up(lab, monkeypatch):
    monkeypatch.setattr(endpoint_connection, "HANDSHAKE_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as sock:
        half_a_hello(sock)
        assert read_all(sock) == b""
    (handshake,) = lab.handshakes(1)
    assert handshake["outcome"] == "timeout"
