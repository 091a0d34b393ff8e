"""Checks of test_mutants about the cloud's API: who may ask, whom they mean, what is told when."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from types import SimpleNamespace

from rig.errors import Misuse
from rig.families.spark_core.firmware.image import read_core_image
from rig.families.spark_core.servers.api import server
from rig.families.spark_core.servers.api.events import MOST_QUEUED, SEND_BUFFER, CloudEvent, read_event
from rig.families.spark_core.servers.api.token import AccessToken
from rig.families.spark_core.trust.core_key import make_core_key
from rig.formats.multipart import read_multipart
from tests.rig.families.spark_core.servers.api.rest_lab import BOUNDARY, OTHER_ID, multipart, rest_lab
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID
from tests.rig.families.spark_core.twin.models import ROLES

#: So many events are published at once: far fewer than may wait for a reader.
BURST = MOST_QUEUED // 4
NEW, CRASHING = ROLES["new"].data, ROLES["crashing"].data


def know(lab, *core_ids):
    """Cores that the cloud knows, and that are away."""
    for core_id in core_ids:
        lab.cloud.core_keys.add(core_id, make_core_key().public_pem.encode())


def nobody_asks_without_the_token(folder):
    with rest_lab(folder) as lab:
        assert lab.ask("GET", "/v1/devices", token=None).status == 400
        assert lab.ask("GET", "/v1/devices", token="0" * 40).status == 401
        assert lab.ask("GET", "/v1/devices").status == 200


def a_password_that_is_not_the_token_logs_nobody_in(folder):
    with rest_lab(folder) as lab:
        form = {"grant_type": "password", "username": "me", "password": "guess"}
        answer = lab.ask("POST", "/oauth/token", form, token=None)
        assert answer.error == (400, "invalid_grant")
        assert lab.token.value.encode() not in answer.body


def a_name_that_leads_here_is_not_this_server(folder):
    with rest_lab(folder) as lab:
        for host in ("evil.test", "127.0.0.1.evil.test", "10.0.0.1"):
            assert lab.ask("GET", "/v1/devices", Host=f"{host}:{lab.api_port}").status == 403
        assert lab.ask("GET", "/v1/devices", Host="localhost:1234").status == 200


def a_web_page_is_not_answered(folder):
    with rest_lab(folder) as lab:
        for origin in ("https://evil.test", "null", f"http://127.0.0.1:{lab.api_port}"):
            assert lab.ask("GET", "/v1/devices", Origin=origin).status == 403


def a_name_means_its_own_device(folder):
    with rest_lab(folder) as lab:
        know(lab, CORE_ID, OTHER_ID)
        for core_id, name in ((CORE_ID, "roof"), (OTHER_ID, "shed")):
            assert lab.ask("PUT", f"/v1/devices/{core_id}", {"name": name}).json["name"] == name
        assert lab.ask("GET", "/v1/devices/shed").json["id"] == OTHER_ID
        assert lab.ask("GET", "/v1/devices/roof").json["id"] == CORE_ID
        assert lab.ask("GET", "/v1/devices/attic").status == 404


def a_stream_has_what_was_asked_for_and_no_more(folder):
    with rest_lab(folder) as lab:
        know(lab, CORE_ID, OTHER_ID)
        with (
            lab.stream("/v1/devices/events/rig/") as by_name,
            lab.stream(f"/v1/devices/{OTHER_ID}/events") as of_other,
        ):
            for core, name in ((CORE_ID, "other"), (CORE_ID, "rig/one"), (OTHER_ID, "rig/two")):
                lab.call(publish, lab, core, name)
            assert [by_name.next()["name"] for _ in range(2)] == ["rig/one", "rig/two"]
            assert of_other.next()["name"] == "rig/two"


def publish(lab, core, name, data="x", public=True):
    """What the bus is told when a Core publishes."""
    lab.cloud.bus.emit("published", core, name=name, data=data, public=public, ttl=60)


def a_released_device_is_nobodys(folder):
    with rest_lab(folder) as lab:
        know(lab, CORE_ID, OTHER_ID)
        assert lab.ask("DELETE", f"/v1/devices/{CORE_ID}").json["ok"]
        with lab.stream("/v1/devices/events") as mine, lab.stream("/v1/events") as everybodys:
            for core, public in ((CORE_ID, False), (CORE_ID, True), (OTHER_ID, False)):
                lab.call(publish, lab, core, "told", "x", public)
            assert mine.next()["coreid"] == OTHER_ID
            assert [everybodys.next()["coreid"] for _ in range(2)] == [CORE_ID, OTHER_ID]


def an_update_succeeded_only_when_the_core_says_so(folder):
    with rest_lab(folder) as lab:
        lab.core("0.2.1")
        lab.online()
        with lab.stream(f"/v1/devices/{CORE_ID}/events/spark/flash") as stream:
            answer = lab.flash(CRASHING, query="?wait=true")
            assert answer.error == (400, "Update failed")
            assert [stream.next()["data"] for _ in range(2)] == ["started", "failed"]


def what_a_core_only_acknowledged_is_a_failure(_folder):
    ended = {"event": "updated", "core": CORE_ID, "acknowledged": True, "ok": False}
    assert read_event(ended).data == "failed"


def what_no_core_could_start_is_not_sent(_folder):
    refused = ""
    try:
        read_core_image(bytes(range(200, 240)), "noise.bin", force=False)
    except Misuse as error:
        refused = str(error)
    assert "noise.bin: its first word is no stack pointer" in refused


def nothing_in_an_event_begins_another(_folder):
    frame = CloudEvent("a\nevent: b\ndata: {}\n", 'x"\n\ndata: y', CORE_ID).frame(0)
    assert len(frame.splitlines()) == 3


def a_reader_that_does_not_read_is_hung_up_on(folder):
    with rest_lab(folder) as lab, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", lab.api_port))
        head = f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {lab.token.value}\r\n\r\n"
        sock.sendall(head.encode())
        sock.recv(1)
        for _ in range(SEND_BUFFER * 8 // (100 * BURST)):
            lab.call(lambda: [publish(lab, None, "n" * 60, "d" * 60) for _ in range(BURST)])
            time.sleep(0.001)
        assert lab.call(lambda: len(lab.api.streams._open)) == 0


def the_token_is_its_owners(folder):
    token = AccessToken(folder / "server.token")
    assert token.path.stat().st_mode & 0o777 == 0o600
    token.close()
    assert AccessToken(folder / "server.token").value == token.value


def every_refusal_is_json(folder):
    """Those of aiohttp, which no handler sees, too."""
    expect = b"GET /v1/devices HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: nonsense\r\n\r\n"
    with rest_lab(folder) as lab:
        for asked, status in ((expect, b"417"), (b"NONSENSE\r\n\r\n", b"400")):
            head, _, body = lab.raw(asked).partition(b"\r\n\r\n")
            assert head.split()[1] == status
            assert b"application/json" in head, head
            assert json.loads(body)["ok"] is False


def a_token_file_is_one_clouds(folder):
    token = AccessToken(folder / "server.token")
    assert _is_refused(token.path)
    token.renew()
    assert _is_refused(token.path)
    token.close()
    assert AccessToken(token.path).value == token.value


def _is_refused(path):
    try:
        AccessToken(path).close()
    except Misuse as refused:
        return "another cloud has the access token" in refused.message
    return False


def a_file_arrives_as_it_was_sent(_folder):
    for content in (b"", b"\r\n", b"\0\r\n--", b" x \r\n\r\n", NEW):
        [part] = read_multipart(multipart({"file": ("a.bin", content)}), BOUNDARY.encode())
        assert part.content == content


def what_is_published_reaches_cores(folder):
    with rest_lab(folder) as lab:
        sent = []
        core = SimpleNamespace(send_event=lambda name, data: sent.append((name, data)) or True)
        lab.cloud.sessions[CORE_ID] = core
        with contextlib.ExitStack() as stack:
            stack.callback(lab.cloud.sessions.clear)
            assert lab.ask("POST", "/v1/devices/events", {"name": "rig/é", "data": "ü"}).json == {"ok": True}
        assert sent == [("rig/é".encode().decode("latin-1"), "ü".encode().decode("latin-1"))]


class Asking:
    """A connection between two questions, the last of which was answered at 9."""

    _current_request, answered = None, 9.0


def whoever_asks_again_and_again_is_not_silent(_folder):
    """He is seen between two questions at every look."""
    busy = Asking()
    assert server.silent_since({busy: 0.0}, [busy], now=10.0) == {busy: 9.0}
