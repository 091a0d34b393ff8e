"""Nothing that a client does, or stops doing, takes more of the update server than its own connection."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import time

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rig.clock import Clock, wait_for
from rig.servers.https import body
from rig.trust.tls import transport as endpoint_transport
from tests.rig.formats.test_tls_records import HELLO
from tests.rig.servers.https.https_lab import HOST, https_lab, read_all

IMAGE = os.urandom(200_000)
GET = b"GET /fw.bin HTTP/1.1\r\nHost: ota.rig.test\r\n\r\n"


@pytest.fixture
def lab(tmp_path):
    with https_lab(tmp_path) as running:
        running.publish(IMAGE)
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with https_lab(tmp_path_factory.mktemp("https")) as running:
        running.publish(IMAGE)
        yield running


def tcp(lab) -> socket.socket:
    return socket.create_connection(("127.0.0.1", lab.port), timeout=10)


def idle(lab):
    return tcp(lab)


def half_a_hello(lab):
    sock = tcp(lab)
    sock.sendall(HELLO[:100])
    return sock


def silent_after_its_hello(lab):
    sock = tcp(lab)
    sock.sendall(HELLO)
    return sock


def silent_after_the_handshake(lab):
    return lab.dial()


def half_a_request(lab):
    sock = lab.dial()
    sock.sendall(GET[:20])
    return sock


def reads_nothing(lab):
    sock = lab.dial()
    sock.sendall(GET)
    return sock


def reset_in_the_handshake(lab):
    sock = silent_after_its_hello(lab)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return sock


HALF_DEAD = [
    idle,
    half_a_hello,
    silent_after_its_hello,
    silent_after_the_handshake,
    half_a_request,
    reads_nothing,
    reset_in_the_handshake,
]


def test_two_hundred_half_dead_clients_keep_nobody_from_being_served(lab):
    clients = [HALF_DEAD[number % len(HALF_DEAD)](lab) for number in range(200)]
    got = lab.curl("/fw.bin", "--max-time", "5")
    assert (got.status, got.body) == (200, IMAGE)
    for client in clients:
        client.close()
    assert_nobody_is_left(lab)


def assert_nobody_is_left(lab, seconds=10):
    deadline = time.monotonic() + seconds
    while lab.server.endpoint._connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not lab.server.endpoint._connections, "connections were kept that are over"


def test_a_client_that_never_reads_is_given_up(lab, monkeypatch):
    monkeypatch.setattr(body, "PIECE_SECONDS", 0.3)
    lab.publish(bytes(16 << 20), "/big.bin")
    with lab.dial() as sock, lab.client.events() as events:
        sock.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
        told = next(event for event in events if event["event"] == "aborted")
    assert told["ending"] == "the client takes no more"
    assert_nobody_is_left(lab)


def test_what_is_left_over_at_the_end_is_waited_for_only_so_long(lab, monkeypatch):
    monkeypatch.setattr(endpoint_transport, "LINGER_SECONDS", 0.2)
    monkeypatch.setattr(body, "PIECE", 512 << 10)  # in one go more than the systems of both ends take
    lab.publish(bytes(16 << 20), "/big.bin")
    with lab.dial() as sock:
        sock.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
        wait_for(lambda: left_over(lab) > 0, seconds=10, reason="an answer", clock=Clock(), board="the server")
        sock.shutdown(socket.SHUT_WR)
        assert_nobody_is_left(lab)


def left_over(lab):
    """Bytes that no system has taken yet."""
    return sum(each.tcp.get_write_buffer_size() for each in lab.server.endpoint._connections)


def test_memory_does_not_grow_with_clients_that_read_nothing(lab):
    """Twenty of them, each owed 16 MiB."""
    lab.publish(bytes(16 << 20), "/big.bin")
    own = psutil.Process()
    with contextlib.ExitStack() as clients:
        for number in range(21):
            sock = clients.enter_context(lab.dial())
            sock.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
            if not number:
                before = own.memory_info().rss
        lab.handshakes(21)
        assert lab.curl().status == 200
        assert own.memory_info().rss - before < 16 << 20


def test_memory_does_not_grow_with_handshakes(lab):
    own = psutil.Process()

    def many(count):
        for _ in range(count):
            with contextlib.suppress(ssl.SSLError):
                lab.dial(maximum_version=ssl.TLSVersion.TLSv1_2).close()
            silent_after_its_hello(lab).close()

    many(100)
    before = own.memory_info().rss
    many(300)
    assert_nobody_is_left(lab)
    assert own.memory_info().rss - before < 8 << 20


COMMON = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@COMMON
@given(data=st.binary(min_size=1, max_size=200), plain=st.booleans(), prefix=st.sampled_from([b"", HELLO, b"GET /"]))
def test_no_bytes_break_the_server(shared, data, plain, prefix):
    address = ("127.0.0.1", shared.plain_port if plain else shared.port)
    with socket.create_connection(address, timeout=10) as sock, contextlib.suppress(OSError):
        sock.sendall(prefix + data)
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    with shared.dial() as sock:
        sock.sendall(b"HEAD /fw.bin HTTP/1.0\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.0 200"


@COMMON
@given(left=st.integers(0, 700), spoilt=st.integers(0, 900))
@example(left=598, spoilt=517)
def test_a_handshake_that_is_cut_or_spoilt_anywhere_has_its_record(shared, left, spoilt):
    """What a real client says, up to some byte, with perhaps one byte changed; then it hangs up."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=str(shared.ca)).wrap_bio(incoming, outgoing, server_hostname=HOST)
    count = shared.server.endpoint.handshakes[-1].number if shared.server.endpoint.handshakes else 0
    with tcp(shared) as sock, contextlib.suppress(ssl.SSLError, OSError):
        sock.settimeout(0.1)  # where the server waits for more than was said
        while left:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            said = bytearray(outgoing.read()[:left])
            if 0 <= spoilt < len(said):
                said[spoilt] ^= 0xFF
            left -= len(said)
            spoilt -= len(said)
            sock.sendall(said)
            if not said or not left or not (answer := sock.recv(65536)):
                break
            incoming.write(answer)
    told = recorded(shared, count + 1)
    assert told.outcome in ("completed", "aborted", "refused", "hung up", "reset")


def recorded(lab, number):
    """The record of the handshake after `number - 1`, when it has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for handshake in reversed(lab.server.endpoint.handshakes):
            if handshake.number >= number:
                return handshake
        time.sleep(0.005)
    raise AssertionError(f"handshake {number} was not recorded")


NONSENSE = [b"{}", b'{"do": 5}', b'{"do": []}', b'{"do": "log", "of": "secrets"}']


@pytest.mark.parametrize("line", NONSENSE, ids=lambda line: repr(line[:20]))
def test_the_control_port_answers_nonsense_with_an_error(shared, line):
    with shared.client._address.dial(10) as sock:
        sock.sendall(line + b'\n{"do": "list"}\n')
        lines = sock.makefile("rb")
        first, second = json.loads(lines.readline()), json.loads(lines.readline())
    assert (first["done"], first["status"]) == (True, 2)
    assert "hosts" in second


def test_a_subscriber_that_does_not_read_is_told_that_it_missed_something_and_downloads_go_on(shared, monkeypatch):
    from rig.servers.https import control

    monkeypatch.setattr(control, "MOST_QUEUED", 20)
    with shared.client._address.dial(10) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.sendall(b'{"do": "events"}\n')
        for _ in range(40):
            assert shared.curl().body == IMAGE
        last = next(told for told in map(json.loads, sock.makefile("rb")) if told.get("done"))
    assert "events were lost" in last["error"]
