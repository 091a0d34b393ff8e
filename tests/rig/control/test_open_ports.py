"""Control ports as people start them: who is warned of what others reach, and what a page comes to there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig.errors import Misuse
from rig.families.spark_core.lab.cloud import SparkCloudPlan, serve_spark_cloud
from rig.rack.relay import RelayPlan, serve_relay
from rig.servers.https.process import HttpsCloudPlan, serve_https_cloud
from rig.twin.relay import Wire
from tests.rig.control.checks_control import said_to
from tests.rig.control.control_ports import ask


@pytest.fixture(autouse=True)
def own_runtime(tmp_path, monkeypatch):
    """Sockets and tokens of this test, and of no other."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


def spark(tmp_path, host):
    plan = {"listen": "127.0.0.1:0", "server_key": tmp_path / "s.pem", "core_keys": tmp_path / "keys"}
    return lambda on_ready: serve_spark_cloud(SparkCloudPlan(control=f"{host}:0", **plan), on_ready)


def spark_api(tmp_path, host):
    plan = {"listen": "127.0.0.1:0", "server_key": tmp_path / "s.pem", "core_keys": tmp_path / "keys"}
    control = f"unix:{tmp_path}/c.sock"
    return lambda on_ready: serve_spark_cloud(SparkCloudPlan(control=control, api=f"{host}:0", **plan), on_ready)


def https(tmp_path, host):
    plan = HttpsCloudPlan(listen="127.0.0.1:0", control=f"{host}:0", state=tmp_path / "state", hosts=["localhost"])
    return lambda on_ready: serve_https_cloud(plan, on_ready)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("serve", [spark, spark_api, https])
def test_a_server_that_others_reach_is_warned_of_in_one_line(tmp_path, capsys, serve, host):
    serve(tmp_path, host)(lambda _ready: signal.raise_signal(signal.SIGTERM))
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("rig: warning: --") and f" {host}: others reach it" in line for line in said] == [True] * (
        host == "0.0.0.0"
    )


TWINS = {
    "spark-core": ["--state", "core", "--host"],
    "esp32": ["--state", "esp", "--host"],
    "relay": ["--wire", "power@unix:core/control.sock", "--host"],
}


@pytest.mark.parametrize("kind", TWINS)
def test_a_twin_that_others_reach_is_warned_of_in_one_line(tmp_path, kind):
    command = [sys.executable, "-m", "rig", "twin", kind, *TWINS[kind], "0.0.0.0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as running:
        ready = json.loads(running.stdout.readline())
        running.terminate()
        warned = [line for line in running.stderr if "rig: warning: --host 0.0.0.0: others reach it" in line]
    assert len(warned) == 1
    assert kind == "relay" or ready["control"]["address"] == f"unix:{tmp_path}/{TWINS[kind][1]}/control.sock"


def test_no_page_publishes_a_file_at_an_update_servers_tcp_port_and_the_commands_do(tmp_path):
    (tmp_path / "secret.txt").write_text("mine")
    words = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--host", "localhost", "--files", str(tmp_path)]
    command = [sys.executable, "-m", "rig", "cloud", "https"]
    serving = [*command, *words, "--state", str(tmp_path / "state"), "--json"]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True) as running:
        ready_line = json.loads(running.stdout.readline())["control"]
        body = json.dumps({"do": "publish", "file": str(tmp_path / "secret.txt")}) + "\n"
        head = f"POST / HTTP/1.1\r\nHost: {ready_line['address']}\r\nContent-Type: text/plain\r\n\r\n"
        assert said_to(ready_line, (head + body).encode()) == b""
        listed = [*command, "list", "--control", ready_line["address"], "--json"]
        done = subprocess.run(listed, capture_output=True, text=True)
        assert (done.returncode, json.loads(done.stdout)["files"]) == (0, [])
        assert ask(ready_line, **json.loads(body))["file"]["path"] == "/secret.txt"
        running.terminate()


def test_a_relay_is_started_with_wires_to_sockets_and_to_ports(tmp_path):
    wires = ["power@unix:a/control.sock", "mode@127.0.0.1:4000"]
    assert [str(Wire.parse(text).address) for text in wires] == [f"unix:{Path.cwd()}/a/control.sock", "127.0.0.1:4000"]
    with pytest.raises(Misuse, match="LINE@ADDRESS"):
        serve_relay(RelayPlan(wires=["power@unix:"]))
