"""The update server's control port: events, aims of cuts, identities, and what it refuses."""

from __future__ import annotations

import threading

import pytest

from rig.errors import LabFault, Misuse
from rig.trust.authority import make_root
from tests.rig.servers.https import checks_https
from tests.rig.servers.https.checks_https import SIZE, check_in
from tests.rig.servers.https.https_lab import DEVICE, HOST, OTHER_HOST, publishing_lab


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


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
    checks_https.no_secret_is_logged_or_told(lab)


REFUSED = {
    "an unknown host": ({"do": "swap", "host": "nobody", "identity": HOST}, "no host is called nobody"),
    "an unknown identity": ({"do": "swap", "host": HOST, "identity": "nothing"}, "no identity is called"),
    "half a pair of files": (
        {"do": "swap", "host": HOST, "chain": "/x"},
        "needs either chain or chain_pem, and either key",
    ),
    "a file of nobody's": ({"do": "publish", "file": "/nowhere/fw.bin"}, "in no folder that this server may read"),
    "a share beyond all": ({"do": "release", "product": "p", "version": "1", "content": "", "percentage": 101}, "%"),
    "a device that is none": ({"do": "group", "name": "g", "devices": ["lamp"]}, "is no device"),
    "a word too many": ({"do": "list", "all": True}, "all: Extra inputs"),
    "no authority to issue": ({"do": "issue", "host": HOST, "name": "b"}, "no authority of its own"),
    "a client that comes from nowhere": ({"do": "forget", "client": "999.1.1.1"}, "client: .*is no IP address"),
    "a clock of nobody's": ({"do": "clock", "client": "999.1.1.1", "now": 0}, "client: .*'999.1.1.1' is no IP address"),
    "a swap for nobody": ({"do": "swap", "host": HOST, "identity": HOST, "client": "a"}, "client: .*is no IP address"),
    "an identity for nobody": ({"do": "issue", "host": HOST, "name": "b", "client": "a"}, "client: .*is no IP address"),
    "handshakes with nobody": ({"do": "tls", "client": ""}, "client: .*is no IP address"),
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
