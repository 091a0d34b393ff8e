"""Nothing that a client of the API sends ends the cloud, and nobody takes it from the others."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig import limits
from rig.control.web_pages import WebPages
from rig.errors import Misuse
from rig.families.spark_core.servers import cloud_limits
from rig.families.spark_core.servers.api import events
from rig.families.spark_core.servers.api.fields import LONGEST_BODY, read_body
from rig.families.spark_core.servers.api.refusal import Refused
from rig.families.spark_core.servers.api.token import AccessToken
from rig.formats.multipart import MalformedForm, read_boundary, read_multipart
from tests.rig.families.spark_core.servers.api.checks_api import know
from tests.rig.families.spark_core.servers.api.rest_lab import BOUNDARY, OTHER_ID, multipart, rest_lab
from tests.rig.waiting import until

PLACE = f"/v1/devices/{OTHER_ID}"
FORM, JSON_BODY = "application/x-www-form-urlencoded", "application/json"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with rest_lab(tmp_path_factory.mktemp("api")) as running:
        know(running, OTHER_ID)
        yield running


def part(head: bytes, content: bytes = b"x") -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


FILE = b'Content-Disposition: form-data; name="file"; filename="a"'
#: Content type and body, and what is wrong with them.
BODIES = {
    "multipart without a boundary": ("multipart/form-data", b"x", "names no boundary"),
    "a boundary of no length": ("multipart/form-data; boundary=", b"x", "names no boundary"),
    "a boundary without end": (f"multipart/form-data; boundary={'b' * 71}", b"x", "names no boundary"),
    "another boundary": ("multipart/form-data; boundary=c", part(FILE), "no end"),
    "multipart cut short": ("multipart/form-data; boundary=b", part(FILE)[:-7], "no end"),
    "a part without a name": ("multipart/form-data; boundary=b", part(b"Content-Disposition: form-data"), "no name"),
    "a part within a part": ("multipart/form-data; boundary=b", part(b"Content-Type: multipart/mixed"), "no name"),
    "a part as base64": (
        "multipart/form-data; boundary=b",
        part(FILE + b"\r\nContent-Transfer-Encoding: base64"),
        "is encoded",
    ),
    "a part's endless head": ("multipart/form-data; boundary=b", part(b"X: " + b"a" * 5000), "too long"),
    "parts without end": ("multipart/form-data; boundary=b", part(FILE)[:-7] * 100 + b"--b--", "more than 64 parts"),
    "a part's head that is no UTF-8": ("multipart/form-data; boundary=b", part(b"\xff: a"), "not UTF-8"),
    "a field that is no UTF-8": (
        "multipart/form-data; boundary=b",
        part(b'Content-Disposition: form-data; name="name"', b"\xff"),
        "not UTF-8",
    ),
    "a form that is no UTF-8": (FORM, b"name=%ff", "not UTF-8"),
    "fields without end": (FORM, b"a&" * 200, "fields"),
    "half of JSON": (JSON_BODY, b'{"name', "cannot be read"),
    "a list": (JSON_BODY, b"[]", "no object"),
    "JSON without end": (JSON_BODY, b"[" * 100_000, "cannot be read"),
    "JSON in JSON": (JSON_BODY, b'{"name": {}}', "is no text"),
    "a number without end": (JSON_BODY, b'{"name": ' + b"9" * 5000 + b"}", "cannot be read"),
    "half a character": (JSON_BODY, b'{"name": "\\ud800"}', "half of a pair"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_is_none_is_refused_by_what_is_wrong_with_it(lab, case):
    kind, body, reason = BODIES[case]
    answer = lab.ask("PUT", PLACE, body, Content_Type=kind)
    assert answer.status == 400
    assert reason in answer.json["error_description"]


def head(method="GET", path="/v1/devices", *lines, host="localhost") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""]).encode()


#: Bytes, and the status they are answered with.
RAW = {
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 20, 400),
    "what the control port speaks": (b'{"do": "list"}\n\n', 400),
    "a header without end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 400),
    "headers without end": (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 10_000 + b"\r\n", 400),
    "a path without end": (head(path="/" + "a" * 10_000), 400),
    "a length below nothing": (head("PUT", PLACE, "Content-Length: -5"), 400),
    "chunks that are none": (head("PUT", PLACE, "Transfer-Encoding: chunked") + b"zz\r\n", 400),
    "length and chunks": (head("PUT", PLACE, "Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n", 400),
    "a body too long": (head("PUT", PLACE, f"Content-Length: {LONGEST_BODY + 1}") + b"a" * (LONGEST_BODY + 1), 413),
    "a body that unpacks": (head("PUT", PLACE, "Content-Encoding: gzip", "Content-Length: 1") + b"x", 415),
    "two hosts": (head("GET", "/v1/devices", "Host: localhost"), 400),
    "no host": (b"GET /v1/devices HTTP/1.0\r\n\r\n", 403),
    "half a host": (head(host="[::1"), 403),
    "a password that is none": (head("GET", "/v1/access_tokens", "Authorization: Basic \xff"), 401),
    "a password of noise": (head("GET", "/v1/access_tokens", "Authorization: Basic ////"), 401),
    "an Expect that nobody knows": (head("GET", "/v1/devices", "Expect: nonsense"), 417),
    "an Expect of nowhere": (head("GET", "/nowhere", "Expect: nonsense"), 417),
    "a method that nobody knows": (head("PATCH", "/v1/devices"), 405),
    "a version that is none": (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    "half an address": (head("GET", "http://[::1"), 400),
    "a path of noise": (head(path="/v1/%ff%00"), 404),
    "a path out of here": (head(path="/v1/devices/../../etc/passwd"), 404),
}


@pytest.mark.parametrize("case", RAW)
def test_what_is_no_request_is_answered_and_the_next_one_too(lab, case):
    data, status = RAW[case]
    told, _, body = lab.raw(data).partition(b"\r\n\r\n")
    assert told.split()[1] == str(status).encode()
    assert list(json.loads(body))[:4] == ["ok", "error", "error_description", "errors"]
    assert lab.ask("GET", "/v1/devices").status == 200


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["multipart/form-data; boundary=b", FORM, JSON_BODY, ""]), st.binary(max_size=300))
def test_any_body_is_read_or_refused(kind, noise):
    for body in (noise, part(FILE, noise)):
        with contextlib.suppress(Refused):
            assert read_body(kind, body) is not None


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200).filter(lambda content: f"--{BOUNDARY}".encode() not in content), st.text(max_size=20))
def test_what_a_form_carries_is_what_was_sent(content, text):
    body = multipart({"file": ("a b;c.bin", content)}, {"name": text})
    sent, said = read_multipart(body, read_boundary(f'multipart/form-data; boundary="{BOUNDARY}"'))
    assert (sent.name, sent.filename, sent.content) == ("file", "a b;c.bin", content)
    assert (said.name, said.filename, said.content.decode()) == ("name", None, text)


def test_a_line_that_only_begins_like_the_boundary_is_no_part():
    with pytest.raises(MalformedForm, match="no head"):
        read_multipart(b"--bc\r\n\r\nx\r\n--b--", b"b")


def test_who_sends_a_request_a_byte_at_a_time_is_hung_up_on(lab, monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "idle=0.3")
    with rest_lab(lab.folder / "slow") as slow, socket.create_connection(("127.0.0.1", slow.api_port)) as sock:
        sent = 0
        with contextlib.suppress(OSError):
            for byte in b"GET /v1/devices HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000:
                sock.sendall(bytes([byte]))
                sent += 1
                time.sleep(0.02)
        assert sent < 1000


def test_a_connection_too_many_is_hung_up_on_and_the_next_one_served(lab, monkeypatch):
    monkeypatch.setattr(lab.api._listener, "limits", replace(cloud_limits.API, connections=4))
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(socket.create_connection(("127.0.0.1", lab.api_port)))
        until(lambda: lab.call(lambda: len(lab.api._runner.server.connections)) == 4, "four connections")
        assert lab.raw(b"").startswith(b"HTTP/1.1 503 ")
    until(lambda: not lab.raw(head()).startswith(b"HTTP/1.1 503 "), "room for a connection")
    assert lab.ask("GET", "/v1/devices").status == 200


def test_a_stream_too_many_is_refused_and_one_that_ended_makes_room(lab, monkeypatch):
    monkeypatch.setattr(events, "MOST_STREAMS", 2)
    with lab.stream("/v1/events"):
        with lab.stream("/v1/events"):
            assert lab.ask("GET", "/v1/events").error == (429, "Too many streams")
        until(lambda: lab.call(lambda: len(lab.api.streams._open)) == 1, "the stream to open")
        with lab.stream("/v1/events") as stream:
            assert stream.first == b":ok\n"


HOSTS = {
    "localhost": (True, True),
    "LOCALHOST:8080": (True, True),
    "127.0.0.1:8080": (True, True),
    "127.9.9.9": (True, True),
    "[::1]:8080": (True, True),
    "192.168.1.5:8080": (False, True),
    "[fe80::1]": (False, True),
    "": (False, False),
    "evil.test": (False, False),
    "localhost.evil.test": (False, False),
    "127.0.0.1.nip.test": (False, False),
    "127.1": (False, False),
    "::1": (False, False),
    "localhost:80:80": (False, False),
    "user@localhost": (False, False),
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_this_server_only_by_what_nobody_else_can_name(host):
    assert (WebPages("127.0.0.1").is_own(host), WebPages("0.0.0.0").is_own(host)) == HOSTS[host]


TOKENS = {
    "others can read it": ("a" * 40, 0o644, "others can use"),
    "it is empty": ("", 0o600, "holds no token"),
    "it is short": ("abc", 0o600, "holds no token"),
    "it is noise": ("ä" * 40, 0o600, "holds no token"),
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_that_is_none_is_not_served_with(tmp_path, case):
    text, mode, reason = TOKENS[case]
    path = tmp_path / "server.token"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(Misuse, match=reason):
        AccessToken(path)


def test_a_token_that_cannot_be_kept_is_not_another(tmp_path, monkeypatch):
    token = AccessToken(tmp_path / "server.token")
    former = token.value
    monkeypatch.setattr(
        "rig.families.spark_core.servers.api.token.make_token", lambda _path: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        token.renew()
    assert (token.value, token.path.read_text().strip()) == (former, former)
