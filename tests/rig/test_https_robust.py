"""Nothing that a client does, or stops doing, takes more of the update server than its own connection."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import psutil
import pytest
from https_lab import HOST, https_lab, read_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import installed
from test_tls_records import HELLO

from rig.drivers.https_cloud import HttpsCloudClient
from rig.errors import LabFault, Misuse
from rig.lab.https_cloud import HttpsCloudPlan, serve_https_cloud
from rig.servers.https import body
from rig.servers.https.identities import HostIdentities
from rig.trust.recipe import IdentityRecipe
from rig.trust.tls import transport as endpoint_transport

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
    nobody_is_left(lab)


def nobody_is_left(lab, seconds=10):
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
    nobody_is_left(lab)


def test_what_is_left_over_at_the_end_is_waited_for_only_so_long(lab, monkeypatch):
    monkeypatch.setattr(endpoint_transport, "LINGER_SECONDS", 0.2)
    lab.publish(bytes(16 << 20), "/big.bin")
    with lab.dial() as sock:
        sock.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
        time.sleep(0.1)
        sock.shutdown(socket.SHUT_WR)
        nobody_is_left(lab)


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
    nobody_is_left(lab)
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
@given(st.data())
def test_a_handshake_that_is_cut_or_spoilt_anywhere_has_its_record(shared, data):
    """What a real client says, up to some byte, with perhaps one byte changed; then it hangs up."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=str(shared.ca)).wrap_bio(incoming, outgoing, server_hostname=HOST)
    count = shared.server.endpoint.handshakes[-1].number if shared.server.endpoint.handshakes else 0
    with tcp(shared) as sock, contextlib.suppress(ssl.SSLError, OSError):
        sock.settimeout(0.1)  # where the server waits for more than was said
        left = data.draw(st.integers(0, 700))
        spoilt = data.draw(st.integers(0, 900))
        while left:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            said = bytearray(outgoing.read()[:left])
            if spoilt < len(said):
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
        for told in reversed(lab.server.endpoint.handshakes):
            if told.number >= number:
                return told
        time.sleep(0.005)
    raise AssertionError(f"handshake {number} was not recorded")


NONSENSE = [b"", b"{}", b"[]", b"5", b'{"do": 5}', b"\xff\xfe", b"[" * 5000, b'{"do": "log", "of": "secrets"}']


@pytest.mark.parametrize("line", NONSENSE, ids=lambda line: repr(line[:20]))
def test_the_control_port_answers_nonsense_with_an_error(shared, line):
    with socket.create_connection(shared.client._address, timeout=10) as sock:
        sock.sendall(line + b'\n{"do": "list"}\n')
        lines = sock.makefile("rb")
        first, second = json.loads(lines.readline()), json.loads(lines.readline())
    assert (first["done"], first["status"]) == (True, 2)
    assert "hosts" in second


def test_a_subscriber_that_does_not_read_is_told_that_it_missed_something_and_downloads_go_on(shared, monkeypatch):
    from rig.servers.https import control

    monkeypatch.setattr(control, "MOST_QUEUED", 20)
    with socket.create_connection(shared.client._address) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.sendall(b'{"do": "events"}\n')
        for _ in range(40):
            assert shared.curl().body == IMAGE
        last = next(told for told in map(json.loads, sock.makefile("rb")) if told.get("done"))
    assert "events were lost" in last["error"]


# -- the process -------------------------------------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path):
    (tmp_path / "fw.bin").write_bytes(IMAGE)
    words = ["--listen", "127.0.0.1:0", "--plain", "127.0.0.1:0", "--control", "127.0.0.1:0", "--host", HOST]
    words += ["--state", str(tmp_path / "state"), "--publish", str(tmp_path / "fw.bin"), "--json"]
    command = [sys.executable, "-m", "rig", "cloud", "https", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.told = json.loads(running.stdout.readline())
        yield running
        running.kill()


def download(told, *words):
    port = told["listen"]["port"]
    address = ["--resolve", f"{HOST}:{port}:127.0.0.1", f"https://{HOST}:{port}/fw.bin"]
    return subprocess.run(
        [installed("curl"), "-sS", "--cacert", told["ca"], *words, *address], capture_output=True, timeout=30
    )


def test_the_command_serves_and_ends_on_sigterm_in_the_middle_of_a_download(process, tmp_path):
    assert process.told["hosts"] == [HOST]
    assert download(process.told).stdout == IMAGE
    control = process.told["control"]
    client = HttpsCloudClient(control["host"], control["port"])
    client.fault("stall", at=4096)
    with client.events() as events:
        under_way = threading.Thread(target=download, args=(process.told,))
        under_way.start()
        next(event for event in events if event["event"] == "progress")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    under_way.join()
    assert process.stderr.read() == ""


def test_no_private_key_can_be_read_by_others(process, tmp_path):
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    private = [path for path in files if b"PRIVATE" in path.read_bytes()]
    assert {"rig-root.key.pem", "key.pem"} <= {path.name for path in private}
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_another_issuer_is_made_and_swapped_to(process):
    control = process.told["control"]
    client = HttpsCloudClient(control["host"], control["port"])
    under = {"rig-intermediate": "CN=Rig Intermediate 1", "rig-intermediate-2": "CN=Rig Intermediate 2"}
    under["other-intermediate"] = "CN=Other Intermediate 1"
    for name, issuer in under.items():
        assert client.issue(HOST, name, {"under": name})["issuer"] == issuer
        client.swap(HOST, name)
        assert download(process.told).returncode == (60 if name == "other-intermediate" else 0)
    assert download({**process.told, "ca": f"{process.told['trust']}/other-root.pem"}).returncode == 0


def test_one_client_can_meet_another_identity_than_everybody(process):
    control = process.told["control"]
    client = HttpsCloudClient(control["host"], control["port"])
    client.issue(HOST, "other", {"under": "other-intermediate"})
    client.swap(HOST, "other", client="127.0.77.1")
    assert download(process.told).returncode == 0
    assert download(process.told, "--interface", "127.0.77.1").returncode == 60
    client.forget("127.0.77.1")
    assert download(process.told, "--interface", "127.0.77.1").returncode == 0


def test_a_recipe_that_cannot_be_is_refused_by_its_field(process):
    client = HttpsCloudClient(process.told["control"]["host"], process.told["control"]["port"])
    wrong = {"under": ({"under": "nobody"}, "no authority is called nobody"), "key": ({"key": "dsa"}, "recipe: key")}
    wrong["days"] = ({"days": -1}, "recipe: days")
    for recipe, told in wrong.values():
        with pytest.raises(Misuse, match=told):
            client.issue(HOST, "wrong", recipe)


def test_a_server_that_is_started_again_is_who_it_was(tmp_path):
    first = HostIdentities(tmp_path).of(HOST)
    again = HostIdentities(tmp_path)
    assert again.of(HOST).fingerprint == first.fingerprint
    assert again.issue(HOST, "b", IdentityRecipe()).chain[1] == first.chain[1]
    assert again.issue(HOST, "c", IdentityRecipe(key="kept"), first).leaf.public_key() == first.leaf.public_key()


REFUSED = {
    "an address": ({"listen": "nowhere"}, Misuse, "--listen nowhere is not HOST:PORT"),
    "a port that is taken": ({"listen": "127.0.0.1:{taken}"}, LabFault, "cannot listen on"),
    "a name that is a path": ({"hosts": ["../etc"]}, Misuse, "is no name"),
    "no name": ({"hosts": []}, Misuse, "needs a name"),
    "a file that is not there": ({"publish": ["/nowhere"]}, Misuse, "cannot read /nowhere"),
    "a fault that is none": ({"faults": ["explode"]}, Misuse, "no fault is called"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused_in_one_line(tmp_path, case):
    changes, error, message = REFUSED[case]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plan = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0", "state": tmp_path / "state", "hosts": [HOST]}
        plan |= changes
        plan["listen"] = plan["listen"].format(taken=taken.getsockname()[1])
        with pytest.raises(error, match=message):
            serve_https_cloud(HttpsCloudPlan(**plan), lambda _ready: None)
