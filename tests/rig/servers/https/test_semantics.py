"""What HTTP says of requests that updaters seldom make: parts of nothing, weak validators, half-closed connections."""

from __future__ import annotations

import socket

import pytest

from rig.errors import Misuse
from rig.servers.https.published_files import PublishedFiles
from tests.rig.servers.https.https_lab import IMAGE, publishing_lab, read_all


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


def half_closed(lab, request: bytes, *, port=None) -> bytes:
    """All that is said to a client that closes its half as soon as it has asked."""
    with socket.create_connection(("127.0.0.1", port or lab.plain_port), timeout=10) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def test_a_head_has_no_parts(lab):
    told = lab.ask("HEAD /fw.bin HTTP/1.0\nHost: ota.rig.test\nRange: bytes=0-9\n\n")
    assert told.startswith(b"HTTP/1.0 200")
    assert f"Content-Length: {len(IMAGE)}\r\n".encode() in told


def test_a_head_leaves_a_fault_of_parts_for_the_get(lab):
    lab.client.fault("no-range")
    lab.curl("/fw.bin", "-I", "-r", "0-9")
    assert lab.curl("/fw.bin", "-r", "0-9").status == 200
    assert lab.curl("/fw.bin", "-r", "0-9").status == 206


@pytest.mark.parametrize("weakly", ["W/{etag}", '"other", W/{etag}', "{etag}"])
def test_a_validator_is_compared_weakly_where_nothing_is_to_be_sent(lab, weakly):
    etag = lab.curl().headers["etag"]
    assert lab.curl("/fw.bin", "-H", f"If-None-Match: {weakly.format(etag=etag)}").status == 304


def test_a_part_needs_the_strong_validator(lab):
    etag = lab.curl().headers["etag"]
    assert lab.curl("/fw.bin", "-r", "0-9", "-H", f"If-Range: W/{etag}").status == 200
    assert lab.curl("/fw.bin", "-r", "0-9", "-H", f"If-Range: {etag}").status == 206


GET = b"GET /fw.bin HTTP/1.1\r\nHost: ota.rig.test\r\n"


@pytest.mark.parametrize("count", [1, 3])
def test_who_closes_its_half_gets_all_it_asked_for_and_is_hung_up_on(lab, count):
    told = half_closed(lab, (GET + b"\r\n") * count)
    assert told.count(IMAGE) == count


def test_who_asks_for_half_a_request_is_hung_up_on(lab):
    assert half_closed(lab, GET) == b""


def test_a_stall_ends_with_the_client_that_sends_no_more(lab):
    lab.client.fault("stall", at=4096)
    assert len(half_closed(lab, GET + b"\r\n")) < len(IMAGE)
    (asked,) = lab.client.log("requests")
    assert (asked["ending"], asked["sent"]) == ("the client left", 4096)


NO_REQUESTS = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("case", NO_REQUESTS)
def test_what_cannot_be_read_as_a_request_is_noted(lab, case):
    with lab.client.events() as events:
        told = half_closed(lab, NO_REQUESTS[case])
        event = next(event for event in events if event["event"] == "request-refused")
    assert told.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert (event["status"], bool(event["why"])) == (400, True)
    assert event["peer"].startswith("127.0.0.1:")
    what_is_no_request_is_in_the_log(lab)


def what_is_no_request_is_in_the_log(lab):
    half_closed(lab, NO_REQUESTS["no HTTP"])
    asked = lab.client.log("requests", last=1)
    assert [(one["status"], one["path"]) for one in asked] == [(400, None)]


@pytest.mark.parametrize("path", ["/fw%20lamp.bin", "/100%25.bin", "/a%2Fb.bin", "/%C3%A9.bin"])
def test_a_path_is_written_as_in_a_url(lab, path):
    lab.publish(b"\xe9" * 100, path)
    assert lab.curl(path).body == b"\xe9" * 100
    lab.client.ask("withdraw", path=path)
    assert lab.curl(path).status == 404


@pytest.mark.parametrize("path", ["/fw lamp.bin", "/é.bin", "/a?b", "/a#b", "/a\nb"])
def test_what_no_url_has_is_no_path(path):
    with pytest.raises(Misuse, match="no file can be at"):
        PublishedFiles().publish(path, b"")
