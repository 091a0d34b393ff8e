"""The update server over real HTTPS: files, and parts of them."""

from __future__ import annotations

import hashlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.servers.https.answer import read_range
from tests.rig.servers.https import checks_https
from tests.rig.servers.https.checks_https import SIZE
from tests.rig.servers.https.https_lab import IMAGE, publishing_lab


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


def test_a_file_is_served_whole_with_its_digest(lab):
    got = lab.curl()
    assert (got.status, got.body) == (200, IMAGE)
    assert got.headers["x-md5"] == hashlib.md5(IMAGE).hexdigest()
    assert got.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize("plain", [False, True], ids=["TLS", "plain"])
def test_http_1_0_is_answered_in_one_burst_and_closed(lab, plain):
    told = lab.ask("GET /fw.bin HTTP/1.0\nHost: ota.rig.test\n\n", plain=plain)
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert body == IMAGE


def test_the_first_bytes_of_the_body_come_with_the_headers(lab):
    with socket.create_connection(("127.0.0.1", lab.plain_port), timeout=10) as sock:
        sock.sendall(b"GET /fw.bin HTTP/1.0\r\n\r\n")
        assert b"\r\n\r\n\xe9" in sock.recv(65536)


def test_http_1_1_keeps_the_connection(lab):
    request = "GET /fw.bin HTTP/1.1\nHost: ota.rig.test\n"
    told = lab.ask(f"{request}\n{request}Connection: close\n\n")
    assert told.count(IMAGE) == 2
    assert len(lab.handshakes(1)) == 1


def test_head_says_the_length_and_sends_nothing(lab):
    told = lab.ask("HEAD /fw.bin HTTP/1.0\nHost: ota.rig.test\n\n")
    assert f"Content-Length: {SIZE}\r\n".encode() in told
    assert told.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("case", checks_https.PARTS)
def test_parts_are_those_that_were_asked_for(lab, case):
    checks_https.a_part_is_the_one_that_was_asked_for(lab, case)


@given(st.one_of(st.none(), st.text(max_size=30), st.from_regex(r"bytes=\d{0,25}-\d{0,25}")), st.integers(0, 1 << 24))
def test_any_range_header_is_a_stretch_of_the_file_or_nothing(text, size):
    wanted = read_range(text, size)
    assert wanted is None or 0 <= wanted[0] <= size >= wanted[1]


def test_what_has_not_changed_is_not_sent_again(lab):
    checks_https.what_has_not_changed_is_not_sent_again(lab)


def test_only_what_is_published_is_there_and_only_to_be_read(lab):
    assert lab.curl("/other.bin").status == 404
    assert lab.curl("/fw.bin", "-X", "DELETE").status == 405
    lab.client.ask("withdraw", path="/fw.bin")
    assert lab.curl().status == 404
