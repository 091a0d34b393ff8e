"""What the update server's control port keeps people from: taken names, its own keys, half changes, endless files."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading

import pytest

from rig.drivers.https_cloud import HttpsCloudClient
from rig.errors import LabFault, Misuse
from rig.families.esp32.boards.updates import Updates
from rig.firmware.manifest import Image
from rig.limits import CLOUD_CONTROL
from rig.servers.https.control import UpdateServerControl
from rig.servers.https.identities import HostIdentities
from rig.servers.https.process import _published
from tests.rig.control.control_ports import door_in
from tests.rig.servers.https.https_lab import DEVICE, HOST, IMAGE, OTHER_HOST, publishing_lab

OTHER_DEVICE = "3c71bf0000ff"


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def keeper(lab, kept):
    """A client of a server that issues identities itself, and keeps them."""
    control = UpdateServerControl(lab.server, HostIdentities(kept))
    yield HttpsCloudClient.at(lab.run(control.start(door_in(kept)))["address"])
    lab.run(control.close())


# -- files -------------------------------------------------------------------------------------------------------------


def test_content_is_published_as_it_is(lab):
    lab.client.publish(IMAGE[:100], "/content.bin")
    assert lab.curl("/content.bin").body == IMAGE[:100]
    assert lab.client.release("lamp", "2", IMAGE)["release"]["image"]["size"] == len(IMAGE)


NO_CONTENT = {
    "nothing": ({"path": "/x"}, "either a file or its content"),
    "both": ({"path": "/x", "file": "/x", "content": ""}, "either a file or its content"),
    "no base64": ({"path": "/x", "content": "é"}, "not base64"),
    "nowhere": ({"content": base64.b64encode(b"x").decode()}, "path: content needs one"),
    "a name that cannot be": ({"file": "a\0b"}, "cannot use"),
    "a device": ({"file": "/dev/zero"}, "in no folder that this server may read"),
}


@pytest.mark.parametrize("case", NO_CONTENT)
def test_what_is_no_content_is_refused(lab, case):
    request, told = NO_CONTENT[case]
    with pytest.raises(Misuse, match=told):
        lab.client.ask("publish", **request)


def test_a_pipe_is_no_file_and_keeps_nobody_waiting(lab):
    pipe = lab.folder / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Misuse, match="it is no file"):
        lab.client.publish(pipe)
    with pytest.raises(Misuse, match="it is no file"):
        lab.client.ask("swap", host=HOST, chain=str(pipe), key=str(pipe))
    with pytest.raises(Misuse, match="it is no file"):
        lab.client.swap_files(HOST, pipe, pipe)
    with pytest.raises(Misuse, match="it is no file"):
        _published(str(pipe))


def test_nothing_of_the_servers_own_folder_is_published(keeper, lab, kept, tmp_path):
    key = next(path for path in kept.rglob("*.pem") if b"PRIVATE" in path.read_bytes())
    (tmp_path / "link").symlink_to(key)
    for path in (key, kept / "trust" / ".." / key.relative_to(kept), tmp_path / "link"):
        with pytest.raises(Misuse, match="the server's own keys"):
            keeper.publish(path, "/key")
        with pytest.raises(Misuse, match="the server's own keys"):
            keeper.release("lamp", "1", path)
    assert lab.curl("/key").status == 404


@pytest.mark.parametrize(
    ("text", "path"), {"a=b.bin": "/a%3Db.bin", "x=a=b.bin": "x", "/y=c.bin": "/y", "c.bin": "/c.bin"}.items()
)
def test_a_file_may_have_an_equals_sign_in_its_name(tmp_path, monkeypatch, text, path):
    monkeypatch.chdir(tmp_path)
    for name in ("a=b.bin", "c.bin"):
        (tmp_path / name).write_bytes(name.encode())
    published, content = _published(text)
    assert (published, content.decode()) == (path, text.removeprefix("x=").removeprefix("/y="))


# -- names and settings ------------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_not_given_again(keeper, lab, tmp_path):
    lab.intermediate.issue(HOST).store(tmp_path / "chain.pem", tmp_path / "key.pem")
    files = {"chain": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}
    keeper.issue(HOST, "Rotated", {})
    for name in ("rotated", HOST, OTHER_HOST.upper()):
        with pytest.raises(Misuse, match=r"called|is a host"):
            keeper.issue(HOST, name, {})
        with pytest.raises(Misuse, match=r"called|is a host"):
            keeper.ask("add-identity", name=name, **files)
    assert lab.curl(host=OTHER_HOST).status == 200


def test_identities_that_were_issued_are_known_after_a_restart(keeper, kept):
    shown = keeper.issue(HOST, "for-later", {})["sha256"]
    assert HostIdentities(kept).issued()["for-later"].fingerprint == shown


def test_settings_for_all_hosts_are_taken_by_all_or_by_none(lab):
    lab.client.ask("tls", host=OTHER_HOST, maximum="TLSv1.2")
    with pytest.raises(Misuse, match="TLS versions from"):
        lab.client.ask("tls", minimum="TLSv1.3")
    assert [host["minimum"] for host in lab.client.ask("list")["hosts"]] == ["TLSv1.2", "TLSv1.2"]


def test_a_client_that_nothing_was_swapped_for_meets_what_everybody_meets(keeper, lab):
    keeper.issue(HOST, "kept-key", {"key": "kept"}, client="127.0.0.1")
    with pytest.raises(Misuse):
        keeper.ask("tls", client="127.0.0.1", minimum="SSLv3")
    lab.swap(lab.intermediate)
    shown = lab.server.endpoint.host(HOST).identity
    assert lab.server.endpoint.met_by("127.0.0.1", HOST).identity is shown


@pytest.mark.parametrize("ciphers", ["a\0b", "é", "TLS_NOTHING"])
def test_suites_that_cannot_be_are_misuse(lab, ciphers):
    with pytest.raises(Misuse, match="knows no suites"):
        lab.client.ask("tls", ciphers=ciphers)


FAULTS = {
    "a host that nobody is": ({"kind": "status", "host": "nobody"}, "no host is called nobody"),
    "seconds of what does not last": ({"kind": "close", "at": 5, "lasts": 3}, "does not last"),
    "a place for what leads nowhere": ({"kind": "status", "to": "/x"}, "leads nowhere"),
    "a number for what takes none": ({"kind": "chunked", "at": 5}, "cannot be at 5"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_that_could_never_be_is_refused(lab, case):
    how, told = FAULTS[case]
    with pytest.raises(Misuse, match=told):
        lab.client.fault(**how)


def test_hints_are_for_people(lab):
    with pytest.raises(Misuse) as caught:
        lab.client.fault("slow", at=0)
    assert caught.value.hint == "from 1 to 1073741823"


# -- releases, and what one board left ---------------------------------------------------------------------------------


def test_a_group_that_nobody_named_is_told(lab):
    lab.client.ask("group", name="known", devices=[DEVICE])
    assert lab.client.release("lamp", "2", IMAGE, groups=["known", "kitchen"])["unknown_groups"] == ["kitchen"]


def test_a_release_to_one_device_is_taken_back_from_it_alone(lab):
    lab.client.release("lamp", "1", IMAGE)
    lab.client.release("lamp", "2", IMAGE, devices=[DEVICE, OTHER_DEVICE])
    lab.client.release("lamp", "3", IMAGE, devices=[DEVICE])
    gone = lab.client.withdraw_release(device=DEVICE)
    assert sorted(release["version"] for release in gone) == ["2", "3"]
    left = {release["version"]: release["devices"] for release in lab.client.ask("policy")["products"]["lamp"]}
    assert left == {"2": [OTHER_DEVICE], "1": []}
    assert lab.curl("/releases/lamp/3").status == 404
    assert lab.curl("/releases/lamp/2").status == 200


def test_a_product_is_taken_back_by_its_version_or_whole(lab):
    for version in ("1", "2", "3"):
        lab.client.release("lamp", version, IMAGE)
    assert [release["version"] for release in lab.client.withdraw_release(product="lamp", version="2")] == ["2"]
    assert len(lab.client.withdraw_release(product="lamp")) == 2
    assert lab.client.ask("policy")["products"] == {}
    with pytest.raises(Misuse, match="whose releases"):
        lab.client.withdraw_release()


def test_nothing_is_left_of_what_was_done_for_a_board(lab):
    image = Image("new", "esp32", "2", IMAGE, "ok")
    updates = Updates(lab.client, DEVICE, board="esp32-01", address="127.0.0.1")
    updates.offer(IMAGE)
    updates.release("lamp", image)
    updates.fault("status", at=500, host=HOST, times=0)
    lab.client.swap(HOST, OTHER_HOST, client="127.0.0.1")
    updates.clear()
    assert lab.client.ask("policy")["products"] == {}
    assert lab.client.ask("faults")["faults"] == []
    assert lab.curl(f"/{DEVICE}/app.bin").status == 404
    assert lab.curl().status == 200
    updates.clear()


def test_what_a_board_asked_for_is_found_among_what_many_others_did(lab):
    updates = Updates(lab.client, DEVICE, board="esp32-01")
    for _ in range(3):
        lab.curl(f"/{DEVICE}/app.bin")
    before = updates.last_request()
    for _ in range(2):
        lab.curl(f"/{DEVICE}/app.bin?v=1&did={DEVICE}")
    busy = [{**lab.server.journal.requests[0], "device": OTHER_DEVICE, "request": 100 + n} for n in range(2000)]
    lab.call(lab.server.journal.requests.extend, busy)
    assert len(updates.requests()) == 5
    assert len(updates.requests(before)) == len(updates.check_ins(before)) == 2
    assert updates.last_request() == 2099


# -- the wire ----------------------------------------------------------------------------------------------------------


def test_a_request_without_end_is_refused_before_the_server_hangs_up(lab):
    with lab.client._address.dial(20) as sock:
        sock.sendall(b'{"do": "list", "x": "' + b"a" * (CLOUD_CONTROL.message + 5_000_000) + b'"}\n')
        output = json.loads(sock.makefile("rb").readline())
    assert (output["status"], "longer than" in output["error"]) == (2, True)


ANSWERS = {
    "a Spark cloud": b'{"done": true, "cores": []}\n',
    "a list": b"[]\n",
    "a twin": b'{"error": "no such thing"}\n',
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n",
}


@pytest.mark.parametrize("case", ANSWERS)
def test_another_kind_of_server_is_a_fault_of_the_lab_in_one_line(case):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            peer, _ = other.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(ANSWERS[case])

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(LabFault) as caught:
            HttpsCloudClient.at(f"127.0.0.1:{other.getsockname()[1]}").publish(b"x", "/x")
        thread.join()
    assert "\n" not in str(caught.value)
