"""`rig cloud spark` and `rig deep-update` as people use them, against the Cores of a rack that are online."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from rig.clock import Clock, poll
from rig.errors import Misuse
from rig.evidence.ledger import read_ledger
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.families.spark_core.lab.cloud import _keep_public_half, _Strangers
from rig.families.spark_core.trust.server_key import make_server_key
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.rack.rig_up import Up
from tests.rig.waiting import HANGS, until


@pytest.fixture(scope="module")
def up():
    rack = Up("--cores", "2", "--time-scale", "0.1", "--online")
    rack.control = rack.ready["cloud"]["control"]["address"]
    rack.core_id = rack.ready["boards"]["core-01"]["core_id"]
    client = SparkCloudClient.at(rack.control)
    while len(client.ask("list")["cores"]) < 2:
        time.sleep(0.1)
    for core in client.ask("list")["cores"]:
        client.ask("ping", core=core["core"])
    yield rack
    rack.end()


def spark(up, *words, status=0):
    env = {**os.environ, "RIG_SPARK_CONTROL": up.control}
    command = [sys.executable, "-m", "rig", "cloud", "spark", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env=env)
    assert done.returncode == status, done.stderr
    return done


def test_cores_are_listed_described_and_called(up):
    output = json.loads(spark(up, "list", "--json").stdout)
    assert up.core_id in {core["core"] for core in output["cores"]}
    assert up.core_id in spark(up, "list").stdout
    output = json.loads(spark(up, "describe", up.core_id, "--json").stdout)
    assert (output["values"]["image"], output["variables"]["answer"]) == ("core-old", "int32")
    assert "image (string) = core-old" in spark(up, "describe", up.core_id).stdout
    assert spark(up, "call", up.core_id, "digitalwrite", "D1,HIGH").stdout.strip() == "1"


def test_a_file_is_flashed_with_an_event_a_chunk(up, tmp_path):
    file = tmp_path / "new.bin"
    file.write_bytes(ROLES["new"].data)
    lines = [json.loads(line) for line in spark(up, "flash", up.core_id, file, "--json").stdout.splitlines()]
    assert sum(line.get("event") == "chunk" for line in lines) == 37
    assert (lines[-1]["done"], lines[-1]["ok"]) == (True, True)
    assert re.search(r"runs new.bin: 37 chunks in", spark(up, "flash", up.core_id, file).stdout)


WRONG = {
    "a file that is no firmware": (
        ["flash", "CORE", "TEXT"],
        2,
        "it is a text file: a Core would install it",
    ),
    "a file that is not there": (["flash", "CORE", "nowhere.bin"], 2, "cannot read nowhere.bin"),
    "a Core that is not online": (["describe", "00" * 12], 3, "is not online"),
    "an id that is none": (["call", "nonsense", "f"], 2, "is no Core's id"),
    "a control port that is none": (["list", "--control", "nowhere"], 2, "is not unix:PATH or HOST:PORT"),
    "a cloud that is not there": (["list", "--control", "127.0.0.1:9"], 3, "cannot be reached"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(up, tmp_path, case):
    words, status, reason = WRONG[case]
    (tmp_path / "text").write_text("This is no firmware.")
    swap = {"CORE": up.core_id, "TEXT": tmp_path / "text"}
    done = spark(up, *[swap.get(word, word) for word in words], status=status)
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_events_are_printed_until_ctrl_c(up):
    command = [sys.executable, "-m", "rig", "cloud", "spark", "events", "--control", up.control]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    spark(up, "call", up.core_id, "digitalread", "D1")
    SparkCloudClient.at(up.control).ask("disconnect", core=up.core_id)
    assert "offline" in watcher.stdout.readline()
    watcher.send_signal(2)
    _, said = watcher.communicate(timeout=HANGS)
    assert (watcher.returncode, said) == (0, "")


def test_a_deep_update_goes_over_usb_while_nothing_is_known_of_the_board(up, tmp_path):
    env = {**os.environ, "LG_COORDINATOR": up.coordinator}
    ledger = tmp_path / "ledger.jsonl"
    words = ["deep-update", "core-02", "--consent", "an engineer", "--ledger", str(ledger), "--json"]
    done = subprocess.run([sys.executable, "-m", "rig", *words], capture_output=True, text=True, timeout=HANGS, env=env)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert (output["path"], output["radio"]) == ("dfu", "1.28")
    lines = list(read_ledger(ledger))
    assert [line["kind"] for line in lines] == ["consent", "deep-update"]
    assert (lines[0]["by"], lines[1]["ok"]) == ("an engineer", True)


@pytest.mark.long
def test_a_core_whose_last_updates_were_applied_is_deeply_updated_over_the_air(up, tmp_path):
    ledger, file = tmp_path / "ledger.jsonl", tmp_path / "new.bin"
    file.write_bytes(ROLES["new"].data)
    for _ in range(3):
        spark(up, "flash", up.core_id, file, "--ledger", ledger)
    words = ["deep-update", "core-01", "--consent", "an engineer", "--ledger", str(ledger), "--json"]
    env = {**os.environ, "LG_COORDINATOR": up.coordinator}
    done = subprocess.run([sys.executable, "-m", "rig", *words], capture_output=True, text=True, timeout=HANGS, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == "cloud"
    assert [line["kind"] for line in read_ledger(ledger)] == ["update"] * 3 + ["consent", "deep-update"]


def test_a_server_alone_makes_its_key_for_nobody_else_to_read(tmp_path):
    words = ["--listen", "127.0.0.1:0", "--control", f"unix:{tmp_path}/c.sock", "--server-key", tmp_path / "s.pem"]
    command = [sys.executable, "-m", "rig", "cloud", "spark", *map(str, words), "--core-keys", str(tmp_path / "keys")]
    server = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ready = json.loads(server.stdout.readline())
    assert (tmp_path / "s.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in json.dumps(ready)
    server.terminate()
    assert (server.wait(HANGS), server.stderr.read()) == (0, "")


def started(*words, cwd):
    """A part of the rig in a process of its own, and what it says when it is ready."""
    command = [sys.executable, "-m", "rig", *words]
    part = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    return part, json.loads(part.stdout.readline())


def test_the_guides_steps_bring_a_core_online_and_one_whose_key_is_unknown_is_named_once(tmp_path):
    addresses = ["--listen", "127.0.0.1:0", "--control", "unix:control.sock"]
    cloud, told = started("cloud", "spark", *addresses, "--server-key", "server.pem", "--json", cwd=tmp_path)
    there = f"127.0.0.1:{told['listen']['port']}"
    words = ["--state", "core", "--cloud", there, "--server-key", "server.pub.pem", "--time-scale", "0.05"]
    twin, core = started("twin", "spark-core", *words, cwd=tmp_path)
    try:
        assert f"Core {core['core_id']} keeps trying, and its key is not known" in cloud.stderr.readline()
        shutil.copy(tmp_path / "core" / f"{core['core_id']}.pub.pem", tmp_path / "core_keys")
        client = SparkCloudClient.at(told["control"]["address"])
        assert poll(lambda: client.ask("list")["cores"] or None, seconds=60.0, clock=Clock()), "it came online"
    finally:
        for part in (twin, cloud):
            part.terminate()
            _, said = part.communicate(timeout=HANGS)
    assert said == ""


def test_where_a_cloud_with_colons_in_its_address_listens_is_printed_as_it_is_asked(tmp_path):
    addresses = ["--listen", "[::1]:0", "--control", "[::1]:0", "--api", "[::1]:0"]
    command = [sys.executable, "-m", "rig", "cloud", "spark", *addresses]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as cloud:
        said = "".join(cloud.stdout.readline() for _ in range(6))
        assert re.search(r"listens on \[::1\]:\d+\n", said), said
        assert SparkCloudClient.at(re.search(r"--control (\S+)", said)[1]).ask("list")["cores"] == []
        with pytest.raises(urllib.error.HTTPError, match="HTTP Error 400"):  # it asks for the access token
            urllib.request.urlopen(re.search(r"http://\S+?/v1/devices", said)[0], timeout=HANGS)
        cloud.terminate()


def test_strangers_without_end_are_not_all_remembered(tmp_path, capsys):
    strangers = _Strangers(tmp_path)
    for number in [*range(strangers.MOST + 10), 1]:
        strangers.hear({"event": "unknown-core", "core": f"{number:024x}"})
    assert capsys.readouterr().err.count("\n") == strangers.MOST


def test_a_key_in_a_folder_that_takes_no_file_is_served_without_its_public_half(tmp_path, monkeypatch):
    monkeypatch.setattr("rig.families.spark_core.lab.cloud.keep", lambda *_: (_ for _ in ()).throw(Misuse("read-only")))
    assert _keep_public_half(tmp_path / "server.pem", make_server_key(1)) is None


REFUSED = {
    "an address that is none": (["--listen", "here"], "--listen here is not HOST:PORT"),
    "a fault nobody knows": (["--fault", "earthquake"], "no fault is called 'earthquake'"),
    "a key that is none": (["--server-key", "README.md"], "holds no private key"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_server_that_cannot_be_is_refused_in_one_line(tmp_path, case):
    words, reason = REFUSED[case]
    (tmp_path / "README.md").write_text("text")
    command = [sys.executable, "-m", "rig", "cloud", "spark", "--core-keys", "keys", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert reason in done.stderr


@pytest.mark.long
def test_cores_whose_flash_is_kept_come_online_again(tmp_path):
    seen = []
    for _ in range(2):
        rack = Up("--cores", "1", "--time-scale", "0.1", "--online", "--state", str(tmp_path))
        client = SparkCloudClient.at(rack.ready["cloud"]["control"]["address"])
        until(lambda client=client: client.ask("list")["cores"], "the Core with the same keys as before")
        seen += [core["core"] for core in client.ask("list")["cores"]]
        rack.end()
    assert len(seen) == 2
    assert len(set(seen)) == 1
