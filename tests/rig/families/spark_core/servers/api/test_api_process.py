"""`rig cloud spark --api` as people start it: where its token is, what it warns of, how it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys

import pytest

from rig.errors import Misuse
from rig.families.spark_core.lab.cloud import SparkCloudPlan, serve_spark_cloud
from rig.families.spark_core.servers.api.token import AccessToken
from rig.families.spark_core.trust.server_key import make_server_key, store_server_key
from tests.rig.waiting import HANGS


@contextlib.contextmanager
def cloud(folder, *words, api="127.0.0.1:0"):
    """A cloud in a process of its own, and what it says when it is ready."""
    addresses = ["--listen", "127.0.0.1:0", "--control", "unix:control.sock", "--api", api]
    command = [sys.executable, "-m", "rig", "cloud", "spark", *addresses, "--server-key", "server.pem", *words]
    part = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    try:
        yield part
    finally:
        part.kill()
        part.communicate()


def ask(port, token, path="/v1/devices"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    return connection.getresponse()


def test_the_token_is_in_a_file_of_its_owner_the_same_after_a_restart_and_nowhere_else(tmp_path):
    tokens, said = [], ""
    for _ in range(2):
        with cloud(tmp_path, "--json") as part:
            line = part.stdout.readline()
            api = json.loads(line)["api"]
            assert api["token_file"] == "server.token"
            tokens.append((tmp_path / "server.token").read_text().strip())
            assert ask(api["port"], tokens[-1]).status == 200
            part.terminate()
            rest = part.communicate(timeout=HANGS)
            said += line + "".join(rest)
    assert tokens[0] == tokens[1]
    assert tokens[0] not in said
    assert (tmp_path / "server.token").stat().st_mode & 0o777 == 0o600


def test_sigterm_comes_to_the_end_of_streams_and_of_the_process(tmp_path):
    with cloud(tmp_path, "--json") as part:
        port = json.loads(part.stdout.readline())["api"]["port"]
        token = (tmp_path / "server.token").read_text().strip()
        streams = [ask(port, token, "/v1/devices/events") for _ in range(3)]
        assert [stream.readline() for stream in streams] == [b":ok\n"] * 3
        part.terminate()
        assert [stream.read() for stream in streams] == [b"\n"] * 3, "whole: the last chunk came"
        assert (part.wait(HANGS), part.stderr.read()) == (0, "")


def test_people_are_told_where_to_connect_and_where_the_token_is(tmp_path):
    with cloud(tmp_path) as part:
        said = "".join(part.stdout.readline() for _ in range(5))
        assert "/v1/devices, with the access token in server.token" in said


def test_an_open_door_is_warned_of(tmp_path):
    with cloud(tmp_path, "--json", api="0.0.0.0:0") as part:
        port = json.loads(part.stdout.readline())["api"]["port"]
        assert "warning: --api 0.0.0.0" in part.stderr.readline()
        assert ask(port, "nonsense").status == 401


REFUSED = {
    "an address that is none": ("here", "--api here is not HOST:PORT"),
    "an address of another machine": ("192.0.2.1:0", "cannot listen on 192.0.2.1:0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_api_that_cannot_be_is_refused_in_one_line(tmp_path, case):
    api, reason = REFUSED[case]
    with cloud(tmp_path, "--json", api=api) as part:
        assert part.wait(HANGS) in (2, 3)
        assert reason in part.stderr.read().splitlines()[-1]


def test_a_token_that_others_can_read_is_not_served_with(tmp_path):
    (tmp_path / "server.token").write_text("a" * 40)
    (tmp_path / "server.token").chmod(0o644)
    with cloud(tmp_path, "--json") as part:
        assert part.wait(HANGS) == 2
        assert "chmod 600 server.token" in part.stderr.read()


def test_a_second_cloud_does_not_take_the_token_of_the_first(tmp_path):
    with cloud(tmp_path, "--json") as first:
        port = json.loads(first.stdout.readline())["api"]["port"]
        with cloud(tmp_path, "--json") as second:
            assert second.wait(HANGS) == 2
            assert second.stderr.read().startswith("rig: another cloud has the access token in server.token")
        assert ask(port, (tmp_path / "server.token").read_text().strip()).status == 200


@pytest.mark.parametrize("lies", [None, "token", "key"])
def test_a_key_is_not_where_the_token_is_kept(tmp_path, lies):
    path = tmp_path / "server.token"
    if lies == "token":
        AccessToken(path).close()
    elif lies == "key":
        store_server_key(path, make_server_key(seed=1))
    before = path.read_bytes() if lies else None
    addresses = {"listen": "127.0.0.1:0", "control": f"unix:{tmp_path}/control.sock", "api": "127.0.0.1:0"}
    with pytest.raises(Misuse, match="the access token has a file of this name"):
        serve_spark_cloud(SparkCloudPlan(server_key=path, core_keys=tmp_path / "keys", **addresses), None)
    assert (path.read_bytes() if path.exists() else None) == before
