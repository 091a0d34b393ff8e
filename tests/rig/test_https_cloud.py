"""The update server over real HTTPS: files, parts of them, check-ins, releases in stages, and every fault on demand."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from dataclasses import replace

import pytest
from https_lab import DEVICE, HOST, OTHER_HOST, https_lab, read_all
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import LabFault, Misuse
from rig.servers.https import answer, server
from rig.servers.https.answer import read_range
from rig.servers.https.faults import ANSWER_FAULTS, BODY_FAULTS, Fault
from rig.servers.https.policy import Policy, Release, share
from rig.servers.https.shelf import Published
from rig.trust.authority import make_root

IMAGE = b"\xe9" + os.urandom(99_999)
SIZE = len(IMAGE)


@pytest.fixture
def lab(tmp_path):
    with https_lab(tmp_path) as running:
        running.publish(IMAGE)
        (tmp_path / "new.bin").write_bytes(IMAGE)
        (tmp_path / "old.bin").write_bytes(IMAGE[::-1])
        yield running


def ask(lab, text, *, plain=False) -> bytes:
    """All that is said to a request that is written by hand."""
    sock = socket.create_connection(("127.0.0.1", lab.plain_port), timeout=10) if plain else lab.dial()
    with sock:
        sock.sendall(text.replace("\n", "\r\n").encode())
        return read_all(sock)


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_file_is_served_whole_with_its_digest(lab):
    got = lab.curl()
    assert (got.status, got.body) == (200, IMAGE)
    assert got.headers["x-md5"] == hashlib.md5(IMAGE).hexdigest()
    assert got.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize("plain", [False, True], ids=["TLS", "plain"])
def test_http_1_0_is_answered_in_one_burst_and_closed(lab, plain):
    told = ask(lab, "GET /fw.bin HTTP/1.0\nHost: ota.rig.test\n\n", plain=plain)
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert body == IMAGE


def test_the_first_bytes_of_the_body_come_with_the_headers(lab):
    with socket.create_connection(("127.0.0.1", lab.plain_port), timeout=10) as sock:
        sock.sendall(b"GET /fw.bin HTTP/1.0\r\n\r\n")
        assert b"\r\n\r\n\xe9" in sock.recv(65536)


def test_http_1_1_keeps_the_connection(lab):
    request = "GET /fw.bin HTTP/1.1\nHost: ota.rig.test\n"
    told = ask(lab, f"{request}\n{request}Connection: close\n\n")
    assert told.count(IMAGE) == 2
    assert len(lab.handshakes(1)) == 1


def test_head_says_the_length_and_sends_nothing(lab):
    told = ask(lab, "HEAD /fw.bin HTTP/1.0\nHost: ota.rig.test\n\n")
    assert f"Content-Length: {SIZE}\r\n".encode() in told
    assert told.endswith(b"\r\n\r\n")


PARTS = {
    "a piece": ("bytes=4096-8191", 206, (4096, 8192)),
    "open at the end": ("bytes=65536-", 206, (65536, SIZE)),
    "the first byte, as partial downloads ask": ("bytes=0-0", 206, (0, 1)),
    "beyond the end is cut": (f"bytes=5-{SIZE + 5}", 206, (5, SIZE)),
    "the last bytes": ("bytes=-100", 206, (SIZE - 100, SIZE)),
    "from the end on": (f"bytes={SIZE}-", 416, None),
    "no bytes": ("bytes=-0", 416, None),
    "backwards is ignored": ("bytes=9-5", 200, (0, SIZE)),
    "other units are ignored": ("lines=1-2", 200, (0, SIZE)),
    "several at once are ignored": ("bytes=0-1,5-6", 200, (0, SIZE)),
}


def parts_are_those_that_were_asked_for(lab, case="a piece"):
    text, status, part = PARTS[case]
    got = lab.curl("/fw.bin", "-H", f"Range: {text}")
    assert got.status == status
    if part is None:
        assert got.headers["content-range"] == f"bytes */{SIZE}"
        return
    start, stop = part
    assert got.body == IMAGE[start:stop]
    assert got.headers["content-length"] == str(stop - start)
    told = f"bytes {start}-{stop - 1}/{SIZE}" if status == 206 else None
    assert got.headers.get("content-range") == told, "Content-Range is not what was sent"


@pytest.mark.parametrize("case", PARTS)
def test_parts_are_those_that_were_asked_for(lab, case):
    parts_are_those_that_were_asked_for(lab, case)


@given(st.one_of(st.none(), st.text(max_size=30), st.from_regex(r"bytes=\d{0,25}-\d{0,25}")), st.integers(0, 1 << 24))
def test_any_range_header_is_a_stretch_of_the_file_or_nothing(text, size):
    wanted = read_range(text, size)
    assert wanted is None or 0 <= wanted[0] <= size >= wanted[1]


def test_what_has_not_changed_is_not_sent_again(lab):
    tag = lab.curl().headers["etag"]
    got = lab.curl("/fw.bin", "-H", f"If-None-Match: {tag}")
    assert (got.status, got.body) == (304, b"")
    assert lab.curl("/fw.bin", "-H", "Range: bytes=5-", "-H", f"If-Range: {tag}").status == 206
    assert lab.curl("/fw.bin", "-H", "Range: bytes=5-", "-H", 'If-Range: "old"').status == 200


def test_only_what_is_published_is_there_and_only_to_be_read(lab):
    assert lab.curl("/other.bin").status == 404
    assert lab.curl("/fw.bin", "-X", "DELETE").status == 405
    lab.client.ask("withdraw", path="/fw.bin")
    assert lab.curl().status == 404


# -- check-ins and releases --------------------------------------------------------------------------------------------

MAC = "3C:71:BF:00:00:01"
ARDUINO = {"x-ESP32-STA-MAC": MAC, "x-ESP32-mode": "sketch", "x-ESP32-free-space": "1310720"}
PROTOCOLS = {
    "v1": (lambda version: (f"/lamp?v={version}&did={DEVICE}&cb=1", ARDUINO), ("v1", "1")),
    "v1 by headers alone": (lambda version: ("/lamp", {**ARDUINO, "x-ESP32-version": version}), ("v1", None)),
    "v1 of 2020": (lambda version: (f"/api/ota/lamp?v={version}&did={DEVICE}", ARDUINO), ("v1", None)),
    "sdk": (lambda version: (f"/lamp?v={version}&did={DEVICE}&cb=2", {}), ("sdk", "2")),
    "v2": (lambda version: ("/update", {"x-dtf-did": DEVICE, "x-dtf-p": "lamp", "x-dtf-v": version}), ("v2", None)),
}


def check_in(lab, name, version, *words):
    path, headers = PROTOCOLS[name][0](version)
    return lab.curl(path, *words, *(word for item in headers.items() for word in ("-H", f"{item[0]}: {item[1]}")))


def the_newest_is_said_to_be_the_newest(lab, name="v1"):
    lab.client.release("lamp", "1.2", lab.folder / "new.bin")
    old = check_in(lab, name, "1.1")
    assert (old.status, old.body) == (200, IMAGE)
    assert old.headers["x-md5"] == hashlib.md5(IMAGE).hexdigest()
    newest = check_in(lab, name, "1.2")
    assert (newest.status, newest.body) == (304, b""), "a device that runs the newest was sent it again"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_protocol_gets_what_is_newer_and_is_noted(lab, name):
    the_newest_is_said_to_be_the_newest(lab, name)
    protocol, bundle = PROTOCOLS[name][1]
    first, second = lab.client.log("check-ins")
    assert (first["device"], first["product"], first["version"], first["status"]) == (DEVICE, "lamp", "1.1", 200)
    assert (second["version"], second["status"], second["why"]) == ("1.2", 304, "runs the newest")
    assert (first["protocol"], first["bundle"], first["host"]) == (protocol, bundle, HOST)
    if protocol == "v1":
        assert (first["mode"], first["details"]) == ("sketch", {"free_space": "1310720"})


def test_a_path_that_begins_with_a_mac_address_is_that_devices(lab):
    lab.publish(IMAGE, f"/{DEVICE}/app.bin")
    lab.client.fault("status", at=403, device=DEVICE)
    with lab.client.events(device=DEVICE) as events:
        assert lab.curl("/fw.bin").status == 200
        assert lab.curl(f"/{DEVICE}/app.bin").status == 403
        told = next(event for event in events if event["event"] == "request" and event["device"])
    assert (told["device"], told["path"]) == (DEVICE, f"/{DEVICE}/app.bin")
    assert lab.client.log("check-ins") == []


def test_a_product_nobody_released_is_not_found_but_its_device_is_noted(lab):
    assert check_in(lab, "v1", "1.0").status == 404
    assert lab.client.log("check-ins")[0]["status"] == 404


FILE = Published("/new", b"new")
STABLE, BETA = Release("1", Published("/old", b"old")), Release("2", FILE)
ONE, TWO = "3c71bf000001", "3c71bf000002"
POLICIES = {
    "for all": (BETA, {ONE: "2", TWO: "2"}),
    "for a group": (replace(BETA, groups=frozenset({"testers"})), {ONE: "2", TWO: "1"}),
    "for a device": (replace(BETA, devices=frozenset({TWO})), {ONE: "1", TWO: "2"}),
    "for a group or a device": (
        replace(BETA, groups=frozenset({"testers"}), devices=frozenset({TWO})),
        {ONE: "2", TWO: "2"},
    ),
    "for nobody yet": (replace(BETA, percentage=0), {ONE: "1", TWO: "1", None: "1"}),
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_release_is_for_whom_it_is_meant(case):
    release, expected = POLICIES[case]
    policy = Policy(groups={"testers": {ONE}})
    policy.release("lamp", STABLE)
    policy.release("lamp", release)
    assert {device: policy.newest("lamp", device).version for device in expected} == expected


def test_stages_grow_and_take_nobody_back():
    devices = [f"{number:012x}" for number in range(4000)]
    stages = [{device for device in devices if share("lamp", "2", device) < percent} for percent in (10, 50, 100)]
    assert stages[0] < stages[1] < stages[2] == set(devices)
    assert abs(len(stages[0]) - 400) < 100


def test_a_staged_release_is_offered_to_its_share_over_the_wire(lab):
    lab.client.release("lamp", "1", lab.folder / "old.bin")
    lab.client.release("lamp", "2", lab.folder / "new.bin", percentage=50)
    for number in range(6):
        device = f"3c71bf0000{number:02x}"
        got = lab.curl(f"/lamp?v=0&did={device}")
        assert (got.body == IMAGE) == (share("lamp", "2", device) < 50)


def a_content_range_that_is_off_by_one(monkeypatch):
    monkeypatch.setattr(answer, "content_range", lambda start, stop, size: f"bytes {start}-{stop}/{size}")


def a_304_that_is_never_said(monkeypatch):
    original = server.answer_to

    def always_new(path, headers, told, *rest):
        return original(path, headers, replace(told, version=None) if told is not None else None, *rest)

    monkeypatch.setattr(server, "answer_to", always_new)


PLANTED = {
    "Content-Range is off by one": (a_content_range_that_is_off_by_one, parts_are_those_that_were_asked_for),
    "304 is never said": (a_304_that_is_never_said, the_newest_is_said_to_be_the_newest),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_noticed(lab, monkeypatch, fault):
    plant, check = PLANTED[fault]
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"Content-Range is not|sent it again"):
        check(lab)


# -- faults on demand --------------------------------------------------------------------------------------------------

PARTIAL, RESET, TIMED_OUT = 18, 56, 28


def whole(got):
    return got.body == IMAGE


FAULTS = {
    "stall@8192": ("--max-time 1", TIMED_OUT, lambda got: got.body == IMAGE[:8192]),
    "stall@8192:0.1": ("", 0, whole),
    "stall@0": ("--max-time 1", TIMED_OUT, lambda got: (got.status, got.body) == (200, b"")),
    "close@5000": ("", PARTIAL, lambda got: got.body == IMAGE[:5000]),
    "close@0": ("", PARTIAL, lambda got: got.status == 200 and not got.body),
    "reset@5000": ("", RESET, lambda got: IMAGE.startswith(got.body) and len(got.body) <= 5000),
    "slow@1000000": ("", 0, whole),
    "wrong-length@200000": ("", PARTIAL, whole),
    "wrong-length@50000": ("", 0, lambda got: got.body == IMAGE[:50000]),
    "truncated@5000": ("", 0, lambda got: got.body == IMAGE[:5000] and got.headers["content-length"] == "5000"),
    "random@100": ("", 0, lambda got: got.body[:100] == IMAGE[:100] and not whole(got) and len(got.body) == SIZE),
    "chunked": ("", 0, lambda got: whole(got) and "content-length" not in got.headers),
    "no-range": ("-r 5-9", 0, lambda got: got.status == 200 and whole(got) and "accept-ranges" not in got.headers),
    "wrong-md5": ("", 0, lambda got: whole(got) and got.headers["x-md5"] == "0" * 32),
    "empty": ("", 0, lambda got: (got.status, got.headers["content-length"], got.body) == (200, "0", b"")),
    **{
        f"redirect@{status}:https://{OTHER_HOST}/there": (
            "",
            0,
            lambda got, status=status: (got.status, got.headers["location"]) == (status, f"https://{OTHER_HOST}/there"),
        )
        for status in (301, 302, 303, 307, 308)
    },
    **{
        f"status@{status}": ("", 0, lambda got, status=status: (got.status, got.body) == (status, b""))
        for status in (204, 304, 401, 403, 404, 416, 500)
    },
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_happens_once_and_is_told(lab, text):
    words, exit_status, check = FAULTS[text]
    lab.call(lab.server.faults.add, Fault.parse(text))
    with lab.client.events(host=HOST) as events:
        got = lab.curl("/fw.bin", *words.split())
        told = next(event for event in events if event["event"] == "fault")
    assert told["kind"] == Fault.parse(text).kind
    assert got.exit_status == exit_status
    assert check(got), (got.status, got.headers, len(got.body))
    assert lab.client.ask("faults")["faults"] == []
    assert whole(lab.curl())


def test_every_kind_of_fault_is_tried():
    assert {Fault.parse(text).kind for text in FAULTS} == {*ANSWER_FAULTS, *BODY_FAULTS}


def test_slow_takes_its_time(lab):
    lab.client.fault("slow", at=200_000)
    lab.curl()
    assert lab.client.log("requests")[0]["seconds"] > 0.4


def test_a_fault_meets_its_device_alone_until_it_is_cleared(lab):
    lab.client.release("lamp", "2", lab.folder / "new.bin")
    lab.client.fault("status", at=500, device=MAC, times=0)
    assert [check_in(lab, "v1", "1").status for _ in range(3)] == [500] * 3
    assert lab.curl("/lamp?v=1&did=3c71bf0000ff").status == 200
    lab.client.ask("clear-faults", device=DEVICE)
    assert check_in(lab, "v1", "1").status == 200
    assert [told["status"] for told in lab.client.log("check-ins")] == [500, 500, 500, 200, 200]


def test_a_fault_of_a_body_waits_for_one_that_is_long_enough(lab):
    lab.client.fault("close", at=5000)
    assert lab.curl("/other.bin").status == 404
    assert lab.curl("/fw.bin", "-I").status == 200
    assert lab.curl("/fw.bin", "-r", "0-99").exit_status == 0
    assert lab.curl().exit_status == PARTIAL


def test_chunks_come_to_http_1_0_too(lab):
    lab.client.fault("chunked")
    told = ask(lab, "GET /fw.bin HTTP/1.0\n\n", plain=True)
    assert b"Transfer-Encoding: chunked" in told
    assert told.endswith(b"0\r\n\r\n")


NO_FAULTS = {
    "a kind": ("explode", "no fault is called"),
    "a status": ("status@200", "cannot be at 200"),
    "a redirect to nowhere": ("redirect", "needs a place"),
    "a redirect that adds headers": ("redirect:/x\r\nEvil: 1", "needs a place"),
    "a device": ("lamp/status@404", "is no device"),
    "a duration": ("stall@5:long", "no number of seconds"),
    "an order of things": ("@5stall", r"is not \[DEVICE/\]KIND"),
    "a speed of nothing": ("slow@0", "cannot be at 0"),
}


@pytest.mark.parametrize("case", NO_FAULTS)
def test_what_is_no_fault_is_misuse(case):
    text, message = NO_FAULTS[case]
    with pytest.raises(Misuse, match=message):
        Fault.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_fault_or_misuse(text):
    try:
        fault = Fault.parse(text)
    except Misuse:
        return
    assert fault.kind in (*ANSWER_FAULTS, *BODY_FAULTS)


# -- events and the control port ---------------------------------------------------------------------------------------


def test_progress_tells_every_4_kib_of_a_body_that_left(lab):
    with lab.client.events() as events:
        lab.curl()
        told = []
        for event in events:
            told.append(event)
            if event["event"] == "finished":
                break
    names = [event["event"] for event in told if event["event"] != "progress"]
    assert names == ["handshake", "request", "finished"]
    sent = [event["sent"] for event in told if event["event"] == "progress"]
    assert sent == [*range(4096, SIZE, 4096), SIZE]
    assert told[-1]["sent"] == SIZE
    assert all(event["unacknowledged"] < 20_000 for event in told if event["event"] == "progress")


def test_a_cut_can_be_aimed_at_bytes_that_left(lab):
    """What a rig does: at n bytes sent the board is gone; the server knows how far it came."""
    lab.client.fault("slow", at=100_000)
    download = threading.Thread(target=lambda: got.append(lab.curl("/fw.bin", "--max-time", "0.5")))
    got = []
    with lab.client.events() as events:
        download.start()
        at = next(event["sent"] for event in events if event["event"] == "progress" and event["sent"] >= 20_000)
        ended = next(event for event in events if event["event"] in ("aborted", "finished"))
    download.join()
    assert at == 20_480
    assert (ended["event"], ended["ending"]) == ("aborted", "the client left")
    assert len(got[0].body) <= ended["sent"] < SIZE


def test_events_are_of_whom_one_subscribed_for(lab):
    lab.client.release("lamp", "2", lab.folder / "new.bin")
    with lab.client.events(host=HOST, device=DEVICE) as events:
        lab.curl("/lamp?v=1&did=3c71bf0000ff")
        lab.curl("/lamp?v=1&did=3c71bf000001", host=OTHER_HOST)
        check_in(lab, "sdk", "1")
        told = next(event for event in events if event["event"] == "check-in")
    assert (told["device"], told["host"]) == (DEVICE, HOST)


def test_identities_are_swapped_by_name_and_from_files(lab):
    authority = make_root("Another")
    authority.issue(HOST).store(lab.folder / "chain.pem", lab.folder / "key.pem")
    files = {"chain": str(lab.folder / "chain.pem"), "key": str(lab.folder / "key.pem")}
    lab.client.ask("add-identity", name="another", **files)
    lab.client.swap(HOST, "another")
    assert lab.curl().exit_status == 60
    assert lab.curl(ca=lab.trust(authority)).status == 200
    lab.client.swap(HOST, HOST)
    assert lab.curl().status == 200
    lab.client.swap_files(HOST, lab.folder / "chain.pem", lab.folder / "key.pem")
    assert lab.client.ask("list")["hosts"][0]["identity"]["issuer"] == "CN=Another"
    assert lab.client.log("handshakes")[0]["alert"] == "unknown_ca"


def test_no_secret_is_logged_or_told(lab):
    lab.curl("/fw.bin", "-u", "me:secret")
    lab.client.ask("list")
    told = json.dumps([lab.client.log(of) for of in ("requests", "handshakes")]) + json.dumps(lab.client.ask("list"))
    assert "Basic" not in told
    assert "PRIVATE" not in told


REFUSED = {
    "an unknown host": ({"do": "swap", "host": "nobody", "identity": HOST}, "no host is called nobody"),
    "an unknown identity": ({"do": "swap", "host": HOST, "identity": "nothing"}, "no identity is called"),
    "half a pair of files": ({"do": "swap", "host": HOST, "chain": "/x"}, "needs either"),
    "a file that is not there": ({"do": "publish", "file": "/nowhere/fw.bin"}, "cannot read /nowhere"),
    "a folder": ({"do": "publish", "file": "/"}, "cannot read"),
    "a share beyond all": ({"do": "release", "product": "p", "version": "1", "file": __file__, "percentage": 101}, "%"),
    "a device that is none": ({"do": "group", "name": "g", "devices": ["lamp"]}, "is no device"),
    "a word too many": ({"do": "list", "all": True}, "all: Extra inputs"),
    "no authority to issue": ({"do": "issue", "host": HOST, "name": "b"}, "no authority of its own"),
    "something else": ({"do": "dance"}, "expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(lab, case):
    request, message = REFUSED[case]
    do = request["do"]
    rest = {name: value for name, value in request.items() if name != "do"}
    with pytest.raises(Misuse, match=message) as caught:
        lab.client.ask(do, **rest)
    assert "\n" not in str(caught.value)


def test_nobody_at_the_control_port_is_a_fault_of_the_labs():
    from rig.drivers.https_cloud import HttpsCloudClient

    with pytest.raises(LabFault, match="rig cloud https"):
        HttpsCloudClient.at("127.0.0.1:1").ask("list")
