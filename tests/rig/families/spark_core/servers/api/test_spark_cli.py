"""The genuine clients drive a twin through our API: spark-cli of 2014, and the library under particle-cli."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from rig.clock import Clock, poll
from rig.families.spark_core.formats import flash as layout
from tests.rig.families.spark_core.servers.api.checks_api import NEW
from tests.rig.families.spark_core.servers.api.rest_lab import rest_lab
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID
from tests.rig.installed import installed, spark_cli
from tests.rig.waiting import HANGS


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A twin online, and who is logged in to its cloud."""
    spark_cli()
    with rest_lab(tmp_path_factory.mktemp("api")) as running:
        running.twin = running.core("0.2.1")
        running.online()
        running.home = running.folder / "home"
        settings = {"apiUrl": f"http://127.0.0.1:{running.api_port}", "access_token": running.token.value}
        configure(running.home, settings)
        yield running


def configure(home, settings):
    """As spark-cli keeps what it knows."""
    (home / ".spark").mkdir(parents=True)
    (home / ".spark" / "spark.config.json").write_text(json.dumps(settings))


def spark(lab, *words, home=None):
    """What spark-cli prints."""
    env = {**os.environ, "HOME": str(home or lab.home)}
    command = [spark_cli(), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env=env, cwd=lab.home)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_lists_cores_functions_and_variables(lab):
    assert f"({CORE_ID}) is online" in spark(lab, "cloud", "list")
    assert "int digitalwrite(String args)" in spark(lab, "function", "list")
    assert "answer (int32)" in spark(lab, "variable", "list")


def test_it_calls_a_function_and_is_told_of_one_there_is_not(lab):
    assert spark(lab, "function", "call", CORE_ID, "digitalwrite", "D7,HIGH").strip() == "1"
    assert "Function not found" in spark(lab, "function", "call", CORE_ID, "nothing", "x")


def test_it_reads_a_variable(lab):
    assert spark(lab, "variable", "get", CORE_ID, "answer").strip() == "42"


def test_it_claims_a_core_and_gives_it_a_name(lab):
    assert "Successfully claimed core" in spark(lab, "cloud", "claim", CORE_ID)
    assert f"Successfully renamed core {CORE_ID} to: garden" in spark(lab, "cloud", "name", CORE_ID, "garden")
    assert f"garden ({CORE_ID}) is online" in spark(lab, "cloud", "list")


def test_it_flashes_a_core_that_then_runs_the_new_image(lab):
    (lab.home / "new.bin").write_bytes(NEW)
    with lab.stream(f"/v1/devices/{CORE_ID}/events/spark/flash") as stream:
        assert '"status":"Update started"' in spark(lab, "cloud", "flash", CORE_ID, "new.bin")
        assert [stream.next()["data"] for _ in range(2)] == ["started", "success"]
    lab.online()
    assert lab.twin.core.memory.internal.read(layout.APP_ADDRESS, len(NEW)) == NEW
    assert spark(lab, "variable", "get", CORE_ID, "image").strip() == "core-new"


def test_it_is_told_why_a_file_is_not_flashed(lab):
    (lab.home / "text.bin").write_text("This is no firmware.")
    assert "text.bin: it is a text file" in spark(lab, "cloud", "flash", CORE_ID, "text.bin")


def test_it_subscribes_to_events(lab):
    env = {**os.environ, "HOME": str(lab.home)}
    command = [spark_cli(), "subscribe", "rig/", "mine"]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert poll(lambda: lab.call(lambda: lab.api.streams._open) or None, seconds=30.0, clock=Clock())
        for name in ("other", "rig/hello"):
            lab.ask("POST", "/v1/devices/events", {"name": name, "data": "there"})
        output = json.loads([listener.stdout.readline() for _ in range(3)][-1])
        assert (output["name"], output["data"], output["coreid"]) == ("rig/hello", "there", "api")
    finally:
        listener.kill()
        listener.communicate()


def test_it_logs_in_with_the_token_as_password(lab):
    home = lab.folder / "newcomer"
    configure(home, {"apiUrl": f"http://127.0.0.1:{lab.api_port}"})
    ours, theirs = pty.openpty()
    env = {**os.environ, "HOME": str(home)}
    client = subprocess.Popen([spark_cli(), "cloud", "login"], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    try:
        for heard, typed in (("email address?", "me@example.test\r"), ("password?", lab.token.value), ("*", "\r")):
            said = ""
            while heard not in said:
                said += os.read(ours, 1000).decode()
            os.write(ours, typed.encode())
        assert client.wait(HANGS) == 0
    finally:
        client.kill()
        client.wait()
        os.close(ours)
        os.close(theirs)
    assert f"({CORE_ID}) is online" in spark(lab, "cloud", "list", home=home)


#: What particle-cli does, without its questions: log in, list, call, flash, listen.
SCRIPT = """
const Particle = require(process.argv[1] + '/particle-api-js');
const [base, password, deviceId, file] = process.argv.slice(2);
(async () => {
    const cloud = new Particle({ baseUrl: base });
    const auth = (await cloud.login({ username: 'me', password })).body.access_token;
    const told = { devices: (await cloud.listDevices({ auth })).body };
    told.device = (await cloud.getDevice({ deviceId, auth })).body;
    told.answer = (await cloud.getVariable({ deviceId, name: 'answer', auth })).body.result;
    const call = { deviceId, name: 'digitalwrite', argument: 'D7,HIGH', auth };
    told.returned = (await cloud.callFunction(call)).body.return_value;
    await cloud.renameDevice({ deviceId, name: 'shed', auth });
    told.signaling = (await cloud.signalDevice({ deviceId: 'shed', signal: true, auth })).body.signaling;
    told.missing = await cloud.getVariable({ deviceId, name: 'nothing', auth }).catch((error) => error.statusCode);
    told.events = [];
    const stream = await cloud.getEventStream({ deviceId: 'mine', auth });
    const ended = new Promise((resolve) => stream.on('event', (event) => {
        told.events.push([event.name, event.data]);
        if (event.name === 'spark/flash/status' && event.data !== 'started') resolve();
    }));
    await cloud.publishEvent({ name: 'hello', data: 'there', isPrivate: true, auth });
    told.flash = (await cloud.flashDevice({ deviceId, files: { file }, auth })).body;
    await ended;
    console.log(JSON.stringify(told));
    process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_the_library_under_particle_cli_does_all_of_it(lab):
    modules = Path(spark_cli()).parent.parent
    if not (modules / "particle-api-js").is_dir():
        pytest.skip("particle-api-js is not installed beside spark-cli")
    (lab.home / "new.bin").write_bytes(NEW)
    words = [str(modules), f"http://127.0.0.1:{lab.api_port}", lab.token.value, CORE_ID, "new.bin"]
    command = [installed("node"), "-e", SCRIPT, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, cwd=lab.home)
    assert (done.returncode, done.stderr) == (0, "")
    output = json.loads(done.stdout)
    assert (output["devices"][0]["id"], output["device"]["variables"]["answer"]) == (CORE_ID, "int32")
    assert (output["answer"], output["returned"], output["signaling"], output["missing"]) == (42, 1, True, 404)
    assert output["flash"]["status"] == "Update started"
    assert output["events"][:2] == [["hello", "there"], ["spark/flash/status", "started"]]
    assert output["events"][-1] == ["spark/flash/status", "success"]
    lab.online()
