"""Named checks of test_mutants about the TLS endpoint and the update server behind it, with real clients.

A check takes a running lab; `on_lab` makes it one that takes a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import threading

from cryptography.hazmat.primitives.serialization import Encoding

from rig.formats.tls_records import ClientHello
from rig.ports import format_address, read_address
from rig.servers.https.faults import Fault
from rig.servers.https.policy import Policy, Release
from rig.servers.https.published_files import Published
from rig.trust.authority import make_root
from rig.trust.tls.context import HandshakeContexts, TlsSettings
from rig.trust.tls.handshake import Handshake
from tests.rig.servers.https.https_lab import DEVICE, HOST, IMAGE, OTHER_HOST, publishing_lab, read_all
from tests.rig.trust.tls_clients import V12, V13, python, python_from

SIZE = len(IMAGE)
LONG = os.urandom(300_000)


def on_lab(check):
    def checked(folder):
        with publishing_lab(folder) as lab:
            check(lab)

    return checked


def a_client_with_colons_is_known_by_its_address(_folder):
    for host in ("::1", "127.0.0.1"):
        told = Handshake(1, format_address(host, 40_000), 0)
        assert (told.client, read_address(told.peer, "peer", "")) == (host, (host, 40_000))


# -- handshakes and swaps ----------------------------------------------------------------------------------------------


def shown(lab, host=HOST, **settings):
    with lab.dial(host, **settings) as sock:
        return sock.getpeercert(binary_form=True)


def served(lab, host=HOST):
    return der(lab.server.endpoint.host(host).identity)


def der(identity):
    return identity.leaf.public_bytes(Encoding.DER)


def new_handshakes_see_the_new_chain(lab):
    before = shown(lab)
    lab.swap(lab.intermediate)
    assert shown(lab) == served(lab), "a new handshake saw another certificate than the one swapped to"
    assert shown(lab) != before


def running_downloads_end_undisturbed(lab):
    lab.publish(LONG)
    lab.call(lab.server.faults.add, Fault("stall", 100_000, lasts=0.3))
    got = []
    download = threading.Thread(target=lambda: got.append(lab.curl()))
    with lab.client.events() as events:
        download.start()
        next(event for event in events if event["event"] == "progress" and event["sent"] >= 98_304)
        lab.swap(make_root("Another"))
    download.join()
    assert got[0].exit_status == 0, "a download that ran was disturbed by a swap"
    assert got[0].body == LONG
    assert lab.curl().exit_status == 60, "a new handshake is not trusted by the old pin"


def a_wrong_pin_is_proved(lab):
    python(lab, lab.trust(make_root("Stranger")), V13)
    (handshake,) = lab.handshakes(1)
    assert (handshake["outcome"], handshake["alert"]) == ("aborted", "unknown_ca"), "the client's alert was lost"


def no_session_is_resumed(lab, version=V12):
    context = ssl.create_default_context(cafile=str(lab.ca))
    context.minimum_version = context.maximum_version = version
    with lab.dial(context=context) as first:
        first.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        read_all(first)
        session = first.session
        first.unwrap()
    with lab.dial(context=context, session=session) as again:
        assert not again.session_reused, "a session was resumed: no certificate was shown"
        assert again.getpeercert(binary_form=True) == served(lab)


def a_shared_context_is_given_up_in_time(_folder):
    handshake_contexts, silent = HandshakeContexts(TlsSettings()), ClientHello((0x0303,), (0xC02B,), None)
    begun = [handshake_contexts.context(silent) for _ in range(601)]
    assert begun[0] is begun[1], "each handshake had a context of its own"
    assert begun[0] is not begun[600], "one context keeps the sessions of more than 600 handshakes"


def hosts_are_chosen_by_name(lab):
    lab.swap(lab.root, OTHER_HOST)
    assert shown(lab) == served(lab)
    assert shown(lab, OTHER_HOST, check_hostname=False) == served(lab, OTHER_HOST)
    names = [(handshake["server_name"], handshake["host"]) for handshake in lab.handshakes(2)]
    assert names == [(HOST, HOST), (OTHER_HOST, OTHER_HOST)]


def a_record_tells_which_certificate_was_shown(lab):
    lab.swap(lab.intermediate, OTHER_HOST)
    leaf = shown(lab, OTHER_HOST)
    (handshake,) = lab.handshakes(1)
    assert handshake["identity"] == hashlib.sha256(leaf).hexdigest(), "the record names another certificate"


def what_one_client_meets_is_its_own(lab):
    """Until it is forgotten, whatever everybody else meets meanwhile."""
    alone, others = "127.0.0.9", "127.0.0.1"
    first, own, new = served(lab), lab.intermediate.issue(HOST), lab.intermediate.issue(HOST)
    lab.call(lab.server.swap, HOST, own, alone)
    assert python_from(lab, others, lab.ca) == first, "what one client is to meet was shown to another"
    assert python_from(lab, alone, lab.ca) == der(own)
    lab.call(lab.server.swap, HOST, new)
    assert python_from(lab, alone, lab.ca) == der(own), "it was forgotten too early"
    lab.call(lab.server.endpoint.forget, alone)
    assert python_from(lab, alone, lab.ca) == python_from(lab, others, lab.ca) == der(new)


# -- files, check-ins, releases ----------------------------------------------------------------------------------------

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


def a_part_is_the_one_that_was_asked_for(lab, case="a piece"):
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


def an_update_is_offered_once(lab, name="v1"):
    lab.client.release("lamp", "1.2", lab.folder / "new.bin")
    old = check_in(lab, name, "1.1")
    assert (old.status, old.body) == (200, IMAGE)
    assert old.headers["x-md5"] == hashlib.md5(IMAGE).hexdigest()
    newest = check_in(lab, name, "1.2")
    assert (newest.status, newest.body) == (304, b""), "a device that runs the newest was sent it again"


def what_has_not_changed_is_not_sent_again(lab):
    tag = lab.curl().headers["etag"]
    got = lab.curl("/fw.bin", "-H", f"If-None-Match: {tag}")
    assert (got.status, got.body) == (304, b"")
    assert lab.curl("/fw.bin", "-H", "Range: bytes=5-", "-H", f"If-Range: {tag}").status == 206
    assert lab.curl("/fw.bin", "-H", "Range: bytes=5-", "-H", 'If-Range: "old"').status == 200


def stages_grow_and_take_nobody_back(_lab_or_folder):
    devices = [f"{number:012x}" for number in range(4000)]
    stages = [{device for device in devices if offered(percent, device)} for percent in (10, 50, 100)]
    assert stages[0] < stages[1] < stages[2] == set(devices)
    assert abs(len(stages[0]) - 400) < 100


def offered(percent: int, device: str) -> bool:
    """Whether a release at so many percent is for a device."""
    policy = Policy()
    policy.release("lamp", Release("2", Published("/new", b"new"), percentage=percent))
    return policy.newest("lamp", device) is not None


def a_fault_happens_once(lab):
    lab.call(lab.server.faults.add, Fault.parse("status@500"))
    assert [lab.curl().status for _ in range(2)] == [500, 200]


def no_secret_is_logged_or_told(lab):
    lab.curl("/fw.bin", "-u", "me:secret")
    lab.client.ask("list")
    entries = json.dumps([lab.client.log(of) for of in ("requests", "handshakes")]) + json.dumps(lab.client.ask("list"))
    assert "Basic" not in entries
    assert "PRIVATE" not in entries
