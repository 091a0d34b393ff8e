"""The update server as a process: how it ends, whose its keys are, whom it shows which identity, what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rig.drivers.https_cloud import HttpsCloudClient
from rig.errors import LabFault, Misuse
from rig.servers.https.identities import HostIdentities
from rig.servers.https.process import HttpsCloudPlan, serve_https_cloud
from rig.trust.recipe import IdentityRecipe
from tests.rig.installed import installed
from tests.rig.servers.https.https_lab import HOST, IMAGE
from tests.rig.waiting import HANGS

GUIDE = Path(__file__).resolve().parents[4] / "rig" / "servers" / "README.md"


@pytest.fixture
def process(tmp_path):
    (tmp_path / "fw.bin").write_bytes(IMAGE)
    words = ["--listen", "127.0.0.1:0", "--plain", "127.0.0.1:0", "--host", HOST]
    words += ["--control", f"unix:{tmp_path}/c.sock"]
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
        [installed("curl"), "-sS", "--cacert", told["ca"], *words, *address], capture_output=True, timeout=HANGS
    )


def test_the_command_serves_and_ends_on_sigterm_in_the_middle_of_a_download(process, tmp_path):
    assert process.told["hosts"] == [HOST]
    assert download(process.told).stdout == IMAGE
    client = HttpsCloudClient.at(process.told["control"]["address"])
    client.fault("stall", at=4096)
    with client.events() as events:
        under_way = threading.Thread(target=download, args=(process.told,))
        under_way.start()
        next(event for event in events if event["event"] == "progress")
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANGS) == 0
    under_way.join()
    assert process.stderr.read() == ""


def test_where_a_server_with_colons_in_its_address_listens_is_printed_as_it_is_asked(tmp_path):
    words = [word for option in ("--listen", "--plain", "--control") for word in (option, "[::1]:0")]
    command = [sys.executable, "-m", "rig", "cloud", "https", *words, "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        said = "".join(running.stdout.readline() for _ in range(4))
        plain = re.search(r"without TLS on (\[::1\]:\d+)\n", said)[1]
        client = HttpsCloudClient.at(re.search(r"--control (\S+)", said)[1])
        with client.events() as events:
            done = subprocess.run(
                [installed("curl"), "-sS", "-g", f"http://{plain}/x"], capture_output=True, timeout=HANGS
            )
            request = next(event for event in events if event["event"] == "request")
        assert (done.returncode, request["peer"][:6], request["headers"]["host"]) == (0, "[::1]:", plain)
        running.terminate()


def test_who_hears_what_happens_is_told_when_the_server_is_gone(process):
    client = HttpsCloudClient.at(process.told["control"]["address"])
    with client.events() as ended_by_us, client.events(timeout=20) as events:
        ended_by_us.close()
        assert list(ended_by_us) == []
        process.kill()
        with pytest.raises(LabFault, match=r"hung up|broke"):
            list(events)


def test_a_state_folder_is_one_servers_at_a_time(process, tmp_path):
    plan = HttpsCloudPlan(listen="127.0.0.1:0", control="127.0.0.1:0", state=tmp_path / "state", hosts=[HOST])
    with pytest.raises(Misuse, match="another server has the state folder"):
        serve_https_cloud(plan, lambda _ready: None)


@pytest.mark.parametrize("option", ["listen", "control", "plain", "time"])
def test_nothing_is_written_for_a_server_that_cannot_have_its_ports(tmp_path, option):
    kind = socket.SOCK_DGRAM if option == "time" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if option != "time":
            taken.listen()
        plan = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0", "state": tmp_path / "state", "hosts": [HOST]}
        plan[option] = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LabFault, match="cannot listen on"):
            serve_https_cloud(HttpsCloudPlan(**plan), lambda _ready: None)
    assert not (tmp_path / "state").exists()


def test_the_commands_of_the_guide_work_as_they_are_printed(process, tmp_path):
    lines = [line.partition("#")[0].split() for line in GUIDE.read_text().splitlines()]
    asked = [words[3:] for words in lines if words[:3] == ["rig", "cloud", "https"]]
    asked = [words for words in asked if not words[0].startswith("--") and words[0] != "events"]
    assert {"group", "release", "issue", "swap", "fault", "log"} <= {words[0] for words in asked}
    (tmp_path / "firmware.bin").write_bytes(IMAGE)
    env = {**os.environ, "RIG_HTTPS_CONTROL": process.told["control"]["address"]}
    for words in asked:
        command = [sys.executable, "-m", "rig", "cloud", "https", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env=env, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert "nobody is in" not in done.stdout, "a release for a group that the guide has not named"


def test_no_private_key_can_be_read_by_others(process, tmp_path):
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    private = [path for path in files if b"PRIVATE" in path.read_bytes()]
    assert {"rig-root.key.pem", "key.pem"} <= {path.name for path in private}
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_another_issuer_is_made_and_swapped_to(process):
    client = HttpsCloudClient.at(process.told["control"]["address"])
    under = {"rig-intermediate": "CN=Rig Intermediate 1", "rig-intermediate-2": "CN=Rig Intermediate 2"}
    under["other-intermediate"] = "CN=Other Intermediate 1"
    for name, issuer in under.items():
        assert client.issue(HOST, name, {"under": name})["issuer"] == issuer
        client.swap(HOST, name)
        assert download(process.told).returncode == (60 if name == "other-intermediate" else 0)
    assert download({**process.told, "ca": f"{process.told['trust']}/other-root.pem"}).returncode == 0


def test_one_client_can_meet_another_identity_than_everybody(process):
    client = HttpsCloudClient.at(process.told["control"]["address"])
    client.issue(HOST, "other", {"under": "other-intermediate"})
    client.swap(HOST, "other", client="127.0.77.1")
    assert download(process.told).returncode == 0
    assert download(process.told, "--interface", "127.0.77.1").returncode == 60
    client.forget("127.0.77.1")
    assert download(process.told, "--interface", "127.0.77.1").returncode == 0


def test_a_recipe_that_cannot_be_is_refused_by_its_field(process):
    client = HttpsCloudClient.at(process.told["control"]["address"])
    wrong = {"under": ({"under": "nobody"}, "no authority is called nobody")}
    wrong["key"] = ({"key": "rsa-512"}, "recipe: key: Input should be 'rsa-1024'")
    wrong["days"] = ({"days": -1}, "recipe: days")
    wrong["names"] = ({"names": ["a b c"]}, "recipe: names.0: 'a b c' is no name of a host")
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
