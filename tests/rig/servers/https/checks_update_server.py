"""Named checks of an update server: for pages, for a full shelf, and for two who ask at once."""

from __future__ import annotations

import contextlib
import threading
from unittest.mock import patch

from rig.clock import Clock, poll
from rig.errors import Misuse
from rig.servers.https import published_files
from rig.servers.https.control import UpdateServerControl
from tests.rig.control.control_ports import dial
from tests.rig.servers.https.https_lab import DEVICE, HOST, https_lab
from tests.rig.waiting import HANGS

REAL_BROUGHT = UpdateServerControl._brought


def refusal(act):
    """Why something is refused; empty where it is done."""
    try:
        act()
    except Misuse as error:
        return error.message
    return ""


def a_page_uses_up_no_fault(folder):
    """A page can have any server sent a GET: no board misses for it what was planned, and it is told as refused."""
    with https_lab(folder) as lab:
        lab.client.fault("empty")
        for header in "Origin: http://evil.test", "Sec-Fetch-Site: cross-site":
            assert lab.curl("/fw.bin", "-H", header).status == 403
        assert len(lab.client.ask("faults")["faults"]) == 1
        assert {entry["status"] for entry in lab.client.log("requests")} == {403}


def a_release_without_room_is_offered_to_nobody(folder):
    with https_lab(folder) as lab, patch.object(published_files, "MOST_BYTES_IN_ALL", 1000):
        lab.client.release("lamp", "1", bytes(900))
        assert "no room" in refusal(lambda: lab.client.release("lamp", "2", bytes(900)))
        assert [kept["version"] for kept in lab.client.ask("policy")["products"]["lamp"]] == ["1"]


def a_releases_image_stays_as_long_as_it_is_released(folder):
    with https_lab(folder) as lab:
        lab.client.release("lamp", "1", b"image", devices=[DEVICE])
        assert "is a release's image" in refusal(lambda: lab.client.ask("withdraw", path="/releases/lamp/1"))
        lab.client.withdraw_release(device=DEVICE)
        assert lab.server.files.files == {}


def a_name_is_one_identitys(folder):
    """Of two who add one at once, one is refused: he may have been let in as long as the other's is read."""
    both = threading.Barrier(2)

    def read(control, request):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(1.0)
        return REAL_BROUGHT(control, request)

    with https_lab(folder) as lab, patch.object(UpdateServerControl, "_brought", read):
        answers = []

        def add():
            made = lab.intermediate.issue(HOST)
            told = {"chain_pem": made.chain_pem.decode(), "key_pem": made.key_pem.decode()}
            answers.append(refusal(lambda: lab.client.ask("add-identity", name="spare", **told)))

        adding = [threading.Thread(target=add) for _ in range(2)]
        for each in adding:
            each.start()
        for each in adding:
            each.join(HANGS)
        assert sorted(answers) == ["", "an identity is called spare already"]


def who_has_left_hears_no_more(folder):
    """Whatever he left unread behind his question."""
    with https_lab(folder) as lab:
        with dial(lab.ready) as sock:
            sock.sendall(b'{"do": "events"}\n{"do": "ev')
            assert b"subscribed" in sock.recv(1000)
        assert poll(lambda: not lab.server.journal._subscribers, seconds=3.0, clock=Clock()), "he is told still"
