"""Nothing that a device or an idle peer does takes more than its own session: the others go on."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from rig.clock import Clock, poll
from rig.errors import LabFault, Misuse
from rig.families.spark_core.formats.coap import Code, Message, Type
from rig.families.spark_core.formats.core_key_der import read_core_key
from rig.families.spark_core.formats.handshake import Credentials, introduce
from rig.families.spark_core.formats.messages import Hello, subscribe
from rig.families.spark_core.servers.cloud_limits import DEVICES
from rig.families.spark_core.trust.core_key import make_core_key
from rig.families.spark_core.trust.server_key import store_server_key
from rig.firmware.checkout import part
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID, SERVER_KEY, spark_lab
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.waiting import HANGS, until

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
        """Whether the other end hangs up within some seconds."""
        self.sock.settimeout(5)
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True


@pytest.fixture
def stranger(lab):
    """A peer with a key that the cloud knows, not through its handshake."""
    peer = Peer(lab)
    lab.cloud.core_keys.add(STRANGER, peer.key.public_pem.encode())
    return peer


def test_a_core_that_reads_nothing_is_not_answered_without_end(lab, stranger):
    stranger.join()
    until(lambda: STRANGER in lab.call(lambda: dict(lab.cloud.sessions)), "the stranger to be online")
    connection_of = lab.call(lambda: lab.cloud.sessions[STRANGER].connection)
    ping = Message(Type.CON, Code.EMPTY, 1, b"").pack()

    def is_not_listened_to():
        stranger.sock.sendall(b"".join(stranger.sealer.seal(ping) for _ in range(1000)))
        return not lab.call(connection_of.transport.is_reading)

    until(is_not_listened_to, "the cloud to read no more of it")
    assert lab.call(connection_of.transport.get_write_buffer_size) <= DEVICES.unread * 4
    assert honest_core_is_served(lab)


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
    with lab.client.subscription("events", timeout=10) as told:
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
    monkeypatch.setattr(lab.cloud, "limits", replace(lab.cloud.limits, idle=0.5))
    loris = Peer(lab)
    taken = 0
    with contextlib.suppress(OSError):
        while taken < 100:  # one byte now and then, far less than a whole introduction
            loris.sock.sendall(b"x")
            taken += 1
            time.sleep(0.05)
    assert taken < 100, "that does not keep a connection"
    assert honest_core_is_served(lab)


def test_a_thousand_idle_connections_take_nobodys_service_and_leave_nothing(lab):
    peers = [socket.create_connection(("127.0.0.1", lab.port), timeout=10) for _ in range(1000)]
    assert honest_core_is_served(lab)
    assert lab.client.flash(CORE_ID, ROLES["new"].data, lambda _event: None)["ok"]
    for peer in peers:
        peer.close()
    until(lambda: lab.call(lambda: len(lab.cloud._connections)) <= 1, "the idle ones to be gone")
    assert lab.call(lambda: len(lab.cloud._connections)) == 1


NONSENSE = {
    "an unknown request": b'{"do": "dance"}\n',
    "a field that is missing": b'{"do": "describe"}\n',
    "a field of another type": b'{"do": "signal", "core": "x", "on": "yes"}\n',
    "a field nobody knows": b'{"do": "list", "colour": "red"}\n',
    "an id that is none": b'{"do": "describe", "core": "nonsense"}\n',
    "an image that is no base64": b'{"do": "flash", "core": "%s", "image": "!"}\n' % CORE_ID.encode(),
    "a key file that is not there": b'{"do": "swap-key", "file": "/nowhere"}\n',
    "a fault nobody knows": b'{"do": "fault", "kind": "earthquake"}\n',
    "a fault for a Core that cannot be": b'{"do": "fault", "kind": "drop", "core": "zzz"}\n',
    "a silence for one Core": b'{"do": "fault", "kind": "silent-accept", "core": "%s"}\n' % CORE_ID.encode(),
    "a chunk of a handshake": b'{"do": "fault", "kind": "wrong-key", "chunk": 3}\n',
}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_at_the_control_port_is_answered_with_an_error(lab, case):
    with lab.client._address.dial(10) as sock:
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
    told = poll(lambda: flashed_or_busy(lab), seconds=10, clock=Clock())
    assert told, "the update that nobody wants any more never ends"
    assert told["ok"]


def flashed_or_busy(lab):
    """What came of an update; None while another one is under way."""
    try:
        return lab.client.flash(CORE_ID, ROLES["new"].data, lambda _event: None)
    except Misuse:
        return None


#: What either side says, for a fuzzer to begin with.
SPOKEN = [
    bytes.fromhex(text)
    for text in (
        "4001f567b165056772656574", "4101f5683db174", "5002f569b1650b68656c6c6f2f776f726c64ff6461746131",
        "6145836902ff7b7d", "410298e607b166036c65644461626364", "410398ea0bb1734101", "4101836902b164",
        "4101837003b17604666c6167", "4102273302b175ff000100000007d00000000000", "4102273403b1634458bea971ff0050",
        "4103273c0bb175", "510298e001b168", "50028374b165056772656574026d65313cff796f", "40015b27b163ff00020005",
        "4000e97f", "6000e97f",
    )
]  # fmt: skip


def test_a_fuzzer_guided_by_coverage_finds_nothing_but_malformed(tmp_path):
    pytest.importorskip("atheris", reason="atheris is not installed (pip install -e .[test])")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, plain in enumerate(SPOKEN):
        for side in (b"\x00", b"\x80\x00", b"\x80\xff"):
            (corpus / f"{number}-{side.hex()}").write_bytes(side + bytes([len(plain)]) + plain)
    command = [
        sys.executable,
        *("-m", "tests.rig.families.spark_core.servers.fuzz_cloud"),
        "-runs=15000",
        "-seed=1",
        "-max_len=1500",
        f"-artifact_prefix={tmp_path}/",
        str(corpus),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, cwd=part())
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DONE" in done.stderr


def test_a_client_that_will_say_no_more_is_answered_all_the_same(lab):
    with lab.client._address.dial(10) as sock:
        sock.sendall(b'{"do": "describe", "core": "%s"}\n' % CORE_ID.encode())
        sock.shutdown(socket.SHUT_WR)
        assert json.loads(sock.makefile("rb").readline())["done"]


def test_faults_are_cleared_for_one_core_however_its_id_is_written(lab):
    lab.client.ask("fault", kind="drop", core=CORE_ID, chunk=1)
    lab.client.ask("fault", kind="drop", core=STRANGER, chunk=1)
    lab.client.ask("clear-faults", core=CORE_ID.upper())
    assert [fault["core"] for fault in lab.client.ask("faults")["faults"]] == [STRANGER]


def test_a_core_cannot_subscribe_to_more_than_the_cloud_keeps(lab, stranger):
    stranger.join()
    for number in range(200):
        stranger.sock.sendall(stranger.sealer.seal(subscribe(number, f"prefix{number}")))
    time.sleep(0.5)
    assert lab.call(lambda: len(lab.cloud.sessions[STRANGER].subscriptions)) == 16


def test_a_key_swapped_back_by_file_is_the_same_key(lab):
    store_server_key(lab.folder / "same.pem", SERVER_KEY)
    lab.client.ask("swap-key", core=CORE_ID, file=str(lab.folder / "same.pem"))
    lab.client.ask("disconnect", core=CORE_ID)
    time.sleep(0.2)
    assert lab.online()["core"] == CORE_ID
