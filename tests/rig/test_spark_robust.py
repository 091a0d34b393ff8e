"""Nothing that a device or an idle peer does takes more than its own session: the others go on."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from models import ROLES
from spark_lab import CORE_ID, SERVER_KEY, spark_lab

from rig.errors import LabFault, Misuse
from rig.formats.core_key_der import read_core_key
from rig.formats.spark_handshake import Credentials, introduce
from rig.formats.spark_messages import Hello
from rig.servers.spark import connection
from rig.trust.core_key import make_core_key

STRANGER = "48ff6c0650675550263100ff"


@pytest.fixture
def lab(tmp_path):
    """A cloud with one honest Core online."""
    with spark_lab(tmp_path) as running:
        running.core("0.2.1")
        running.online()
        yield running


class Peer:
    """Somebody who connects and does as they like."""

    def __init__(self, lab, key=None):
        self.sock = socket.create_connection(("127.0.0.1", lab.port), timeout=10)
        self.key = key or make_core_key()

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                return data
            data += more
        return data

    def introduce(self, core_id):
        self.sock.sendall(introduce(SERVER_KEY.public_key(), self.read(40), bytes.fromhex(core_id)))
        return self.read(384)

    def join(self, core_id=STRANGER):
        """The whole handshake."""
        raw = read_core_key(self.key.private_der).decrypt(self.introduce(core_id)[:128])
        credentials = Credentials(raw)
        self.sealer = credentials.sealer()
        self.sock.sendall(self.sealer.seal(Hello().pack(1)))

    def is_dropped(self):
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            pass
        return True


@pytest.fixture
def stranger(lab):
    """A peer with a key that the cloud knows, not through its handshake."""
    peer = Peer(lab)
    lab.cloud.core_keys.add(STRANGER, peer.key.public_pem.encode())
    return peer


def honest_core_is_served(lab):
    return lab.client.ask("variable", core=CORE_ID, name="answer")["value"] == 42


ABUSE = {
    "a frame over 640 bytes": lambda peer: peer.sock.sendall((641).to_bytes(2, "big") + bytes(641)),
    "a frame of nothing": lambda peer: peer.sock.sendall(bytes(2)),
    "a frame that is no cipher block": lambda peer: peer.sock.sendall(b"\0\x0f" + bytes(15)),
    "noise": lambda peer: peer.sock.sendall(os.urandom(4000)),
    "a message that is none": lambda peer: peer.sock.sendall(peer.sealer.seal(b"\x00nonsense")),
    "an option that does not end": lambda peer: peer.sock.sendall(peer.sealer.seal(b"\x40\x01\0\1\xff"[:4] + b"\xbf")),
}


@pytest.mark.parametrize("case", ABUSE)
def test_abuse_ends_that_session_and_no_other(lab, stranger, case):
    stranger.join()
    time.sleep(0.1)
    ABUSE[case](stranger)
    assert stranger.is_dropped()
    assert [told["core"] for told in lab.client.ask("list")["cores"]] == [CORE_ID]
    assert honest_core_is_served(lab)


def test_a_device_that_lies_about_its_id_does_not_take_the_others_place(lab):
    since = lab.client.ask("list")["cores"][0]["since"]
    liar = Peer(lab)
    assert len(liar.introduce(CORE_ID)) == 384
    liar.sock.sendall(Credentials(bytes(40)).sealer().seal(Hello().pack(1)))
    assert liar.is_dropped()
    assert lab.client.ask("list")["cores"][0]["since"] == since
    assert honest_core_is_served(lab)


def test_a_stranger_and_noise_are_refused_with_a_reason(lab):
    with lab.client.subscription("events", seconds=10) as told:
        events = iter(told)
        next(events)
        Peer(lab).introduce("00" * 12)
        noisy = Peer(lab)
        noisy.sock.sendall(os.urandom(256))
        reasons = []
        while len(reasons) < 2:
            event = next(events)
            if event["event"] == "handshake-failed":
                reasons.append(event["reason"])
    assert "no key of a Core 000000000000000000000000 is known" in reasons
    assert any("another server's key" in reason for reason in reasons)


def test_slow_lorises_are_hung_up_on(lab, monkeypatch):
    monkeypatch.setattr(connection, "STEP_SECONDS", 0.5)
    loris = Peer(lab)
    began = time.monotonic()
    while time.monotonic() - began < 5:
        try:
            loris.sock.sendall(b"x")
        except OSError:
            break
        time.sleep(0.05)
    assert time.monotonic() - began < 4, "one byte now and then does not keep a connection"
    assert honest_core_is_served(lab)


def test_a_thousand_idle_connections_take_nobodys_service_and_leave_nothing(lab):
    peers = [socket.create_connection(("127.0.0.1", lab.port), timeout=10) for _ in range(1000)]
    assert honest_core_is_served(lab)
    assert lab.client.flash(CORE_ID, ROLES["new"].data, lambda _event: None)["ok"]
    for peer in peers:
        peer.close()
    deadline = time.monotonic() + 10
    while lab.call(lambda: len(lab.cloud._connections)) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lab.call(lambda: len(lab.cloud._connections)) == 1


NONSENSE = {
    "no JSON": b"hello\n",
    "not an object": b"[1]\n",
    "an unknown request": b'{"do": "dance"}\n',
    "a field that is missing": b'{"do": "describe"}\n',
    "a field of another type": b'{"do": "signal", "core": "x", "on": "yes"}\n',
    "a field nobody knows": b'{"do": "list", "colour": "red"}\n',
    "an id that is none": b'{"do": "describe", "core": "nonsense"}\n',
    "an image that is no base64": b'{"do": "flash", "core": "%s", "image": "!"}\n' % CORE_ID.encode(),
    "a key file that is not there": b'{"do": "swap-key", "file": "/nowhere"}\n',
    "a fault nobody knows": b'{"do": "fault", "kind": "earthquake"}\n',
}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_at_the_control_port_is_answered_with_an_error(lab, case):
    with socket.create_connection(("127.0.0.1", lab.control_port), timeout=10) as sock:
        lines = sock.makefile("rb")
        sock.sendall(NONSENSE[case])
        answer = json.loads(lines.readline())
        assert (answer["done"], answer["status"]) == (True, 2)
        sock.sendall(b'{"do": "list"}\n')
        assert json.loads(lines.readline())["cores"][0]["core"] == CORE_ID


def test_a_core_that_is_not_online_is_a_lab_fault_that_names_it(lab):
    with pytest.raises(LabFault, match=f"{STRANGER} is not online|{STRANGER}: is not online"):
        lab.client.ask("describe", core=STRANGER)


def test_a_client_that_goes_away_ends_its_update_and_the_next_one_works(lab):
    lab.client.ask("fault", kind="stall", chunk=3, seconds=30.0)
    with lab.client.subscription("flash", core=CORE_ID, image=base64.b64encode(ROLES["new"].data).decode()):
        time.sleep(0.3)
    lab.client.ask("clear-faults")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert lab.client.flash(CORE_ID, ROLES["new"].data, lambda _event: None)["ok"]
            break
        except Misuse:
            time.sleep(0.2)
    assert honest_core_is_served(lab)


def test_a_fuzzer_guided_by_coverage_finds_nothing_but_malformed(tmp_path):
    pytest.importorskip("atheris", reason="atheris is not installed (pip install -e .[test])")
    script = Path(__file__).with_name("fuzz_spark.py")
    command = [sys.executable, str(script), "-runs=15000", "-seed=1", "-max_len=1500", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DONE" in done.stderr
