"""The cloud over HTTP, as a client of the Spark Cloud sees it: what is asked, and what is answered."""

from __future__ import annotations

import base64
import json

import pytest

from rig.families.spark_core.formats.coap import Message
from rig.families.spark_core.formats.flash import APP_SIZE
from tests.rig.families.spark_core.servers.api.checks_api import NEW, know, publish
from tests.rig.families.spark_core.servers.api.rest_lab import OTHER_ID, rest_lab
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID

HERE = f"/v1/devices/{CORE_ID}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A cloud with a Core online that subscribes to events, and one that is away."""
    with rest_lab(tmp_path_factory.mktemp("api")) as running:
        know(running, OTHER_ID)
        running.core("0.3.4")
        running.online()
        yield running


def test_devices_are_listed_whether_they_are_online_or_not(lab):
    told = {device["id"]: device for device in lab.ask("GET", "/v1/devices").json}
    assert [told[CORE_ID]["connected"], told[OTHER_ID]["connected"]] == [True, False]
    assert told[OTHER_ID]["last_heard"] is None
    assert told[CORE_ID]["last_heard"].endswith("Z")


def test_a_device_tells_its_functions_and_variables(lab):
    told = lab.ask("GET", HERE).json
    assert "digitalwrite" in told["functions"]
    assert told["variables"]["answer"] == "int32"
    away = lab.ask("GET", f"/v1/devices/{OTHER_ID}").json
    assert (away["connected"], away["functions"], away["variables"]) == (False, None, None)


def test_a_variable_is_read_by_its_type(lab):
    told = lab.ask("GET", f"{HERE}/answer").json
    assert (told["cmd"], told["name"], told["result"]) == ("VarReturn", "answer", 42)
    assert (told["coreInfo"]["deviceID"], told["coreInfo"]["connected"]) == (CORE_ID, True)
    assert lab.ask("GET", f"{HERE}/answer?format=raw").body == b"42"


@pytest.mark.parametrize("field", ["args", "arg", "params", "anything"])
def test_a_function_gets_the_first_field_whatever_that_is_called(lab, field):
    told = lab.ask("POST", f"{HERE}/digitalwrite", {"access_token": lab.token.value, field: "D7,HIGH"}, token=None)
    assert told.json["return_value"] == 1
    assert {"id", "name", "last_app", "connected"} < set(told.json)


def test_a_function_is_called_with_json_too(lab):
    answer = lab.ask("POST", f"{HERE}/digitalwrite", b'{"args": "D7,HIGH"}', Content_Type="application/json")
    assert answer.json["return_value"] == 1


def test_the_token_is_taken_from_header_query_or_body(lab):
    token = lab.token.value
    assert lab.ask("GET", f"/v1/devices?access_token={token}", token=None).status == 200
    assert lab.ask("GET", "/v1/devices", token=None, Authorization=f"bearer {token}").status == 200
    assert lab.ask("PUT", HERE, {"name": "lamp", "access_token": token}, token=None).status == 200


def test_a_device_answers_to_its_name_until_it_has_another(lab):
    assert lab.ask("PUT", HERE, {"name": "lamp"}).json == {"ok": True, "id": CORE_ID, "name": "lamp"}
    assert lab.ask("GET", "/v1/devices/lamp").json["id"] == CORE_ID
    lab.ask("PUT", "/v1/devices/lamp", {"name": "bulb"})
    assert lab.ask("GET", "/v1/devices/lamp").status == 404


def test_names_are_kept_beside_the_keys_with_what_others_noted_there(lab):
    path = lab.cloud.core_keys.folder / f"{OTHER_ID}.json"
    path.write_text('{"coreID": "x", "registrar": "me"}')
    lab.ask("PUT", f"/v1/devices/{OTHER_ID}", {"name": "pump"})
    assert json.loads(path.read_text()) == {"coreID": "x", "registrar": "me", "name": "pump"}


def test_rainbows_are_shouted(lab):
    assert lab.ask("PUT", HERE, {"signal": "1"}).json == {"id": CORE_ID, "connected": True, "signaling": True}
    assert not lab.ask("PUT", HERE, b'{"signal": false}', Content_Type="application/json").json["signaling"]


REFUSED = {
    "a variable there is not": ("GET", f"{HERE}/nothing", None, 404, "Variable not found"),
    "a function there is not": ("POST", f"{HERE}/nothing", {"args": ""}, 404, "Function not found"),
    "a function's name over 12 bytes": ("POST", f"{HERE}/thirteenbytes", {"args": ""}, 404, "Function not found"),
    "a device there is not": ("GET", f"/v1/devices/{'0' * 24}", None, 404, "Device not found"),
    "an update of a device there is not": ("PUT", "/v1/devices/cellar", {"signal": "1"}, 404, "Device not found"),
    "a variable of one away": ("GET", f"/v1/devices/{OTHER_ID}/answer", None, 408, "Timed out."),
    "a function of one away": ("POST", f"/v1/devices/{OTHER_ID}/f", {"args": ""}, 408, "Timed out."),
    "rainbows of one away": ("PUT", f"/v1/devices/{OTHER_ID}", {"signal": "1"}, 408, "Timed out."),
    "nothing to do": ("PUT", HERE, {}, 400, "Nothing to do?"),
    "an app nobody has": ("PUT", HERE, {"app": "tinker"}, 400, "Can't flash unknown app tinker"),
    "another's name": ("PUT", HERE, {"name": OTHER_ID}, 400, "Name in use"),
    "another's id in capitals": ("PUT", HERE, {"name": OTHER_ID.upper()}, 400, "Name in use"),
    "no name": ("PUT", HERE, {"name": " "}, 400, "Bad name"),
    "a name of two lines": ("PUT", HERE, {"name": "a\nb"}, 400, "Bad name"),
    "an event without a name": ("POST", "/v1/devices/events", {"data": "x"}, 400, "Bad event name"),
    "an event's long name": ("POST", "/v1/devices/events", {"name": "é" * 32}, 400, "Bad event name"),
    "an event's name of two lines": ("POST", "/v1/devices/events", {"name": "a\nb"}, 400, "Bad event name"),
    "an event's long data": ("POST", "/v1/devices/events", {"name": "a", "data": "é" * 32}, 400, "Too much data"),
    "an event for ever": ("POST", "/v1/devices/events", {"name": "a", "ttl": "9" * 9}, 400, "Bad ttl"),
    "a claim of nobody": ("POST", "/v1/devices", {}, 400, "Bad id"),
    "a claim of a stranger": ("POST", "/v1/devices", {"id": "0" * 24}, 404, "Device not found"),
    "a page there is not": ("GET", "/v2", None, 404, "Not Found"),
    "what cannot be done to it": ("PATCH", HERE, {}, 405, "Method Not Allowed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_done_is_said_with_a_status_and_why(lab, case):
    method, path, form, status, error = REFUSED[case]
    answer = lab.ask(method, path, form)
    assert answer.error == (status, error)
    assert answer.json["ok"] is False
    assert answer.json["errors"]


def test_an_argument_a_core_hangs_up_on_is_not_sent(lab):
    answer = lab.ask("POST", f"{HERE}/digitalwrite", {"args": "x" * 64})
    assert answer.status == 400
    assert "63 bytes at most" in answer.json["error"]


def test_an_update_is_told_as_started_and_the_stream_tells_how_it_ended(lab):
    with lab.stream("/v1/devices/events/spark/flash") as stream:
        assert lab.flash(NEW).json == {"id": CORE_ID, "status": "Update started"}
        assert [stream.next()["data"] for _ in range(2)] == ["started", "success"]
    lab.online()
    assert lab.ask("GET", f"{HERE}/image").json["result"] == "core-new"


def test_an_update_that_is_waited_for_is_finished_when_the_core_runs_it(lab):
    result = lab.flash(NEW, query="?wait=true&chunk_size=512").json
    assert (result["ok"], result["status"]) == (True, "Update finished")
    lab.online()


def test_a_core_that_is_updated_is_asked_nothing_else(lab):
    lab.client.ask("fault", kind="stall", chunk=3, seconds=1.0)
    with lab.stream(f"{HERE}/events/spark/flash/status") as stream:
        lab.flash(NEW)
        assert lab.ask("POST", f"{HERE}/digitalwrite", {"args": "D7,HIGH"}).error == (400, "Device is busy")
        assert lab.flash(NEW).error == (400, "Device is busy")
        assert lab.ask("GET", HERE).json["connected"]
        assert [stream.next()["data"] for _ in range(2)] == ["started", "success"]
    lab.online()


NO_IMAGES = {
    "text": (b"This is no firmware.", "new.bin", "it is a text file"),
    "noise": (bytes(range(200, 240)), "new.bin", "first word is no stack pointer"),
    "nothing": (b"", "new.bin", "new.bin is empty"),
    "source": (NEW, "blink.ino", "compiles nothing"),
    "more than a Core copies": (NEW.ljust(APP_SIZE + 1, b"\0"), "new.bin", "a Core copies 110,592"),
    "more than is listened to": (NEW.ljust(1 << 20, b"\0"), "new.bin", "bytes at most"),
}


@pytest.mark.parametrize("case", NO_IMAGES)
def test_what_no_core_could_run_is_refused_with_the_reason(lab, case):
    content, name, reason = NO_IMAGES[case]
    answer = lab.flash(content, name=name)
    assert answer.status in (400, 413)
    assert reason in answer.json["error_description"]
    assert lab.ask("GET", f"{HERE}/image").status == 200


def test_an_update_of_a_core_that_is_away_is_no_update(lab):
    assert lab.flash(NEW, OTHER_ID).error == (408, "Timed out.")


def test_what_is_published_comes_to_clients_and_to_cores_that_asked(lab):
    sent = []
    session = lab.cloud.sessions[CORE_ID]
    session.connection.send, send = sent.append, session.connection.send
    try:
        with lab.stream("/v1/events/rig") as stream:
            form = {"name": "rig/hello", "data": "line\nline", "private": "true", "ttl": "30"}
            assert lab.ask("POST", "/v1/devices/events", form).json == {"ok": True}
            told = stream.next()
    finally:
        session.connection.send = send
    assert (told["name"], told["data"], told["ttl"], told["coreid"]) == ("rig/hello", "line\nline", "30", "api")
    assert [Message.parse(message).payload for message in sent] == [b"line\nline"]


def test_text_of_cores_is_utf_8(lab):
    with lab.stream(f"{HERE}/events/caf%C3%A9") as stream:
        lab.call(publish, lab, CORE_ID, "café".encode().decode("latin-1"), "€\xff".encode().decode("latin-1"))
        told = stream.next()
    assert (told["name"], told["data"]) == ("café", "€\xff")


def test_a_stream_begins_with_a_sign_of_life(lab):
    with lab.stream("/v1/devices/events") as stream:
        assert stream.first == b":ok\n"
        assert stream.answer.headers["Content-Type"] == "text/event-stream"


def test_a_device_that_was_released_is_back_when_it_is_claimed(lab):
    assert lab.ask("DELETE", f"/v1/devices/{OTHER_ID}").json == {"ok": True}
    assert lab.ask("GET", f"/v1/devices/{OTHER_ID}").status == 404
    told = lab.ask("POST", "/v1/devices", {"id": OTHER_ID.upper()}).json
    assert (told["ok"], told["id"], told["connected"]) == (True, OTHER_ID, False)
    assert lab.ask("GET", f"/v1/devices/{OTHER_ID}").status == 200


def test_a_key_is_learned_once_and_never_replaced(lab):
    core_id = "48ff6c065067555026310003"
    pem = (lab.cloud.core_keys.folder / f"{OTHER_ID}.pub.pem").read_text()
    other = (lab.cloud.core_keys.folder / f"{CORE_ID}.pub.pem").read_text()
    answer = lab.ask("POST", f"/v1/provisioning/{core_id}", {"deviceID": core_id, "publicKey": pem})
    assert answer.json == "Success!"
    assert lab.cloud.core_keys.find(core_id) is not None
    answer = lab.ask("POST", f"/v1/provisioning/{core_id}", {"publicKey": other})
    assert answer.error == (400, "Key in use")


def test_who_logs_in_with_the_token_gets_it_and_who_revokes_it_is_out(lab):
    former = lab.token.value
    form = {"grant_type": "password", "username": "me@example.test", "password": former, "client_id": "spark-cli"}
    told = lab.ask("POST", "/oauth/token", form, token=None).json
    assert (told["access_token"], told["token_type"]) == (former, "bearer")
    basic = "Basic " + base64.b64encode(f"me:{former}".encode()).decode()
    assert lab.ask("GET", "/v1/access_tokens", token=None, Authorization=basic).json[0]["token"] == former
    with lab.stream("/v1/events") as stream:
        assert lab.ask("DELETE", f"/v1/access_tokens/{former}", token=None, Authorization=basic).json == {"ok": True}
        with pytest.raises(EOFError):
            stream.next()
    assert lab.ask("GET", "/v1/devices", token=former).status == 401
    assert lab.token.path.read_text().strip() == lab.token.value != former
