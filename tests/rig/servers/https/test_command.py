"""`rig cloud https` as people and scripts ask a server that runs; and `rig up` that is told to end while it starts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import psutil
import pytest
from typer.testing import CliRunner

from rig.errors import Misuse
from rig.servers.https.process import HttpsCloudPlan, serve_https_cloud
from tests.rig.rack.rig_up import gone
from tests.rig.servers.https.https_lab import DEVICE, HOST, IMAGE, publishing_lab
from tests.rig.waiting import HANGS, until


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


@pytest.fixture
def asked(lab):
    """Runs a command against the lab; returns what it printed."""
    from rig.cli.cloud import app

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, ["https", *map(str, words), "--control", str(lab.client._address)])
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return run


def told(asked, *words: object):
    return json.loads(asked(*words, "--json"))


def test_files_are_published_and_withdrawn(asked, lab):
    assert told(asked, "publish", lab.folder / "old.bin", "--path", "/a%20b")["size"] == len(IMAGE)
    assert lab.curl("/a%20b").body == IMAGE[::-1]
    asked("withdraw", "/a%20b")
    assert lab.curl("/a%20b").status == 404


def test_releases_groups_and_the_policy_are_told(asked, lab):
    assert "nobody is in kitchen yet" in asked("release", "lamp", "2", lab.folder / "new.bin", "--group", "kitchen")
    assert told(asked, "group", "kitchen", DEVICE) == {"group": "kitchen", "devices": [DEVICE]}
    assert "lamp                     2            for group kitchen" in asked("policy")
    assert told(asked, "policy")["groups"] == {"kitchen": [DEVICE]}
    assert [one["version"] for one in told(asked, "withdraw-release", "lamp", "2")] == ["2"]
    assert told(asked, "policy")["products"] == {}


def test_faults_are_set_told_and_cleared(asked):
    asked("fault", f"{DEVICE}/stall@4096*3:5")
    asked("fault", "chunked")
    assert [(one["kind"], one["times"]) for one in told(asked, "faults")] == [("stall", 3), ("chunked", 1)]
    assert DEVICE in asked("faults")
    assert [one["kind"] for one in told(asked, "clear-faults", "--device", DEVICE)] == ["chunked"]
    assert told(asked, "clear-faults") == []


def test_logs_are_of_a_device_and_since_a_request(asked, lab):
    for device in (DEVICE, "3c71bf0000ff", DEVICE):
        lab.curl(f"/{device}/app.bin")
    of_it = [json.loads(line) for line in asked("log", "requests", "--device", DEVICE, "--json").splitlines()]
    assert [one["request"] for one in of_it] == [1, 3]
    assert len(asked("log", "requests", "--after", 1).splitlines()) == 2
    assert len(asked("log", "handshakes", "--last", 2).splitlines()) == 2
    assert len(asked("log", "handshakes", "--last", 10**20).splitlines()) == 3


def test_handshakes_and_identities_are_changed(asked, lab, tmp_path):
    lab.intermediate.issue(HOST).store(tmp_path / "chain.pem", tmp_path / "key.pem")
    asked("add-identity", "mine", tmp_path / "chain.pem", tmp_path / "key.pem")
    assert told(asked, "swap", HOST, "mine")["certificates"] == 2
    assert told(asked, "tls", "--maximum", "TLSv1.2")["maximum"] == "TLSv1.2"
    assert "TLS from TLSv1.2 to TLSv1.2" in asked("tls", "--host", HOST)


WRONG = {
    "nothing there": (["withdraw", "/nothing"], "/nothing"),
    "no version": (["tls", "--minimum", "SSLv3"], "SSLv3"),
    "no file": (["publish", "/dev/zero"], "/dev/zero"),
    "no time": (["issue", HOST, "new", "--begins", "foo"], "--begins foo is no time .*as 2034-01-01"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_one_line(asked, case):
    words, message = WRONG[case]
    with pytest.raises(Misuse, match=message) as caught:
        asked(*words)
    assert "\n" not in str(caught.value)


def test_a_reader_that_has_enough_ends_the_events_well(lab):
    command = [sys.executable, "-m", "rig", "cloud", "https", "events", "--control", str(lab.client._address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: lab.server.journal._subscribers, "it to begin")
        lab.curl()
        assert "handshake" in running.stdout.readline()
        running.stdout.close()
        while running.poll() is None:
            lab.curl()
        assert (running.returncode, running.stderr.read()) == (0, "")


CONTROLS = {"127.0.0.1:0": False, "localhost:0": False, "[::1]:0": False, "0.0.0.0:0": True}


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_port_that_others_reach_is_warned_of(tmp_path, capsys, monkeypatch, control):
    ready = []

    def announce(line):
        ready.append(line)
        signal.raise_signal(signal.SIGTERM)

    plan = HttpsCloudPlan(listen="[::1]:0", control=control, state=tmp_path / "state", hosts=[HOST])
    serve_https_cloud(plan, announce)
    assert ready[0]["listen"]["host"] == "::1"
    assert ("warning" in capsys.readouterr().err) == CONTROLS[control]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_rack_that_is_told_to_end_while_it_starts_never_becomes_ready(number):
    command = [sys.executable, "-m", "rig", "up", "--cores", "1", "--esp32s", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        up = psutil.Process(running.pid)
        until(up.children, "it to begin")
        family = up.children(recursive=True)
        running.send_signal(number)
        assert running.communicate(timeout=HANGS) == ("", "")
    assert running.returncode == 0
    assert gone(family)
