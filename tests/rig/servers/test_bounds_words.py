"""No line and no body ends a server or is taken for what it is not, seen on the real processes."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.rig.servers.bounded_servers import (
    GET,
    PORTS,
    first_words,
    grown,
    send_all_it_takes,
    servers,
)

pytestmark = pytest.mark.xdist_group("bounds")
MIB = 1 << 20


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as started:
        yield started


LINES = {
    "nothing": b"",
    "60,000 brackets": b"[" * 60_000,
    "60,000 objects": b'{"a":' * 10_000,
    "brackets in a request": b'{"do": "status", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "1e999": b'{"do": "status", "on": 1e999}',
    "minus infinity": b'{"do": "power", "on": -Infinity}',
    "NaN": b'{"do": "clock", "client": "127.0.0.1", "now": NaN}',
    "5,000 digits": b'{"do": "log", "of": "requests", "last": ' + b"9" * 5000 + b"}",
    "19 digits": b'{"do": "wear", "address": 9999999999999999999}',
    "a fraction of 5,000 digits": b'{"do": "status", "x": 0.' + b"9" * 5000 + b"}",
    "half of a pair": b'{"do": "\\ud800"}',
    "half of a pair as a name": b'{"do": "status", "\\udfff": 1}',
    "bytes that are no text": b"\xff\xfe\xfd{}",
    "UTF-16": '{"do": "status"}'.encode("utf-16"),
    "a mark of byte order": b'\xef\xbb\xbf{"do": "status"}',
    "a byte of zero": b'{"do": "sta\0tus"}',
    "a written zero": b'{"do": "publish", "file": "\\u0000"}',
    "a number as a name": b'{"do": 1}',
    "true as a name": b'{"do": true}',
    "a list as a name": b'{"do": []}',
    "a number as a switch": b'{"do": "power", "on": 1}',
    "true as an address": b'{"do": "wear", "address": true}',
    "a fraction as an address": b'{"do": "wear", "address": 1.5}',
    "true as a count": b'{"do": "log", "of": "requests", "last": true}',
    "true as a time": b'{"do": "clock", "client": "127.0.0.1", "now": true}',
    "a text as a profile": b'{"do": "radio", "profiles": [1, {"a": []}]}',
    "true as a number of refusals": b'{"do": "radio", "refusals": true}',
    "a text that has no end": b'{"do": "' + b'\\"' * 20_000,
    "a list": b"[]",
    "null": b"null",
    "a number": b"-0",
}
CONTROLS = ["Core's control", "ESP32's control", "Spark control", "update control"]


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("case", LINES)
def test_no_line_ends_a_control_port(running, name, case):
    with running.connect(name) as sock:
        sock.sendall(LINES[case] + b"\n")
        assert "error" in json.loads(sock.makefile("rb").readline())
    assert "error" not in running.ask(name, PORTS[name].word)


def _post(running, name, body, path):
    kind = b"Content-Type: application/json\r\nConnection: close\r\n"
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n" % (path, kind, len(body))
    with running.connect(name) as sock:
        sock.sendall(head + body)
        return first_words(sock)


@pytest.mark.parametrize("case", [case for case, line in LINES.items() if line and len(line) < 16_000])
def test_no_body_ends_the_relay_or_is_taken_for_a_call(running, case):
    assert _post(running, "Shelly", LINES[case], b"/rpc").startswith(b"HTTP/1.1 400 ")
    assert b'"was_on"' in _post(
        running, "Shelly", b'{"id": 1, "method": "Switch.Set", "params": {"id": 0, "on": false}}', b"/rpc"
    )


@pytest.mark.parametrize("case", LINES)
def test_no_body_ends_the_api(running, case):
    said = _post(running, "Spark API", LINES[case], b"/oauth/token")
    assert said.startswith(b"HTTP/1.1 400 ")
    with running.connect("Spark API") as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert b"HTTP/1.1 4" in first_words(sock)


def _chunked(running, name, path, encoding, chunks):
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with running.connect(name) as sock:
        send_all_it_takes(sock, head % (path, encoding) + chunks, 1)
        sock.settimeout(10)
        return first_words(sock)


BOMB = gzip.compress(bytes(8 * MIB))
BODIES = {
    "a bomb": (b"Content-Encoding: gzip\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(BOMB), BOMB), (400, 413, 415)),
    "a chunk of no size": (b"", b"zz\r\n{}\r\n0\r\n\r\n", (400,)),
    "a chunk below zero": (b"", b"-1\r\n{}\r\n0\r\n\r\n", (400,)),
    "more than a call has": (b"", (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 40, (400, 413)),
}


@pytest.mark.parametrize("name", ["Shelly", "Spark API"])
@pytest.mark.parametrize("case", BODIES)
def test_a_body_in_chunks_is_refused_and_not_unpacked(running, name, case):
    encoding, chunks, allowed = BODIES[case]
    path = b"/rpc" if name == "Shelly" else b"/oauth/token"
    with grown(running.process(name)) as megabytes:
        said = _chunked(running, name, path, encoding, chunks)
        assert megabytes() < 6
    assert int(said.split()[1]) in allowed
    assert running.lets_in(name)
