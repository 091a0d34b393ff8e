"""Named checks of test_mutants about swaps under boards: how one is played, and what servers saw."""

from __future__ import annotations

import socket
import threading

from rig.boards import server_log
from rig.campaign import swap
from rig.errors import LabFault
from rig.families.esp32.boards import servers
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.boards.updates import Updates
from rig.families.esp32.sweep.built import memory_with
from rig.firmware.manifest import Image
from rig.trust.authority import make_root
from rig.trust.expectation import Reach
from tests.rig.campaign.swap_setups import SetupOf, scenarios
from tests.rig.servers.https.https_lab import DEVICE, HOST, https_lab
from tests.rig.trust.tls_clients import python_from
from tests.rig.waiting import HANGS, until

#: A swap that every firmware which pins its own authority refuses.
REFUSED = "another-root"

# -- scenarios ---------------------------------------------------------------------------------------------------------


def plays_as_expected(name, firmware):
    ended_as_expected(swap.play(scenarios()[name], SetupOf(firmware)), scenarios()[name], firmware)


def ended_as_expected(played, scenario, firmware):
    expected = scenario.change(firmware)
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    if scenario.when in ("mid-download", "between-pieces"):
        assert played.arrived == (scenario.when == "mid-download" or expected.after.reach is not Reach.DARK)
    assert played.runs_on
    assert played.updated


def of_a_scenario(name, firmware="default"):
    return lambda _folder: plays_as_expected(name, firmware)


class Mixed(SetupOf):
    """A board in whose flash lies something else once nobody serves it."""

    def look(self):
        seen = super().look()
        if not seen.requests:
            other = golden_set({**self._images, "old": self._images["new"]})
            self._board.memory.flash.load(memory_with(dict(other.parts())).flash.dump())
        return seen


def a_board_that_starts_something_else_does_not_run_on(_folder):
    played = swap.play(scenarios()[REFUSED], Mixed("default"))
    assert not played.runs_on, "other firmware runs, and it is told that the former one does"


class NoWayBack(SetupOf):
    """Servers that stay what they were swapped to."""

    def show(self, scenario, *, after):
        return super().show(scenario, after=after) if after or not self._shown else {}


def an_update_that_does_not_come_is_not_told(_folder):
    played = swap.play(scenarios()[REFUSED], NoWayBack("default"))
    assert not played.updated, "the board is dark, and it is told that an update came"


class Unmoved(SetupOf):
    """Servers that say they were swapped, and were not."""

    def show(self, scenario, *, after):
        if not after:
            return super().show(scenario, after=after)
        former = dict(self._servers._shown)
        told = super().show(scenario, after=after)
        self._servers._shown.update(former)
        return told


def a_swap_that_did_not_take_place_proves_nothing(_folder):
    message = ""
    try:
        swap.play(scenarios()["new-key"], Unmoved("default"))
    except LabFault as fault:
        message = str(fault)
    assert "the swap did not take place" in message, "nothing was swapped, and the board is told to have gone on"


def how_a_board_was_brought_back_is_told_as_it_happened(_folder):
    assert swap.play(scenarios()["new-intermediate-and-a-cable"], SetupOf("fleet-1.0.4")).route == "cable"
    assert swap.play(scenarios()[REFUSED], SetupOf("default")).route == "swap-back"
    assert swap.play(scenarios()["new-key"], SetupOf("default")).route == ""


# -- what servers saw --------------------------------------------------------------------------------------------------


def another_boards_failures_are_not_its_own(folder):
    mine, others = "127.0.0.9", "127.0.0.8"
    with https_lab(folder) as lab, servers.Servers(lab.client, mine, board="mine").watched() as seen:
        python_from(lab, others, lab.trust(make_root("Stranger")))
        lab.handshakes(1)
        python_from(lab, mine, lab.ca)
        until(lambda: any(shook["peer"].startswith(f"{mine}:") for shook in seen.handshakes), "its handshake")
        assert seen.failures == (), "what another board refused is told of this one"


def what_an_updated_board_asks_next_hides_no_image_that_left(_folder):
    seen = server_log.ServerLog()
    for sent, of in ((40_000, 71_616), (71_616, 71_616), (14, 14)):
        seen.use({"event": "progress", "start": 0, "sent": sent, "of": of})
    assert 71_616 in seen.whole, "the image left, and counts as lost since the new firmware asked for something else"
    assert 40_000 not in seen.whole


def asks(lab):
    """A board's request for its image, with what is answered under way."""
    sock = socket.create_connection(("127.0.0.1", lab.plain_port))
    sock.sendall(f"GET /{DEVICE}/app.bin HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    sock.recv(1)
    return sock


def what_becomes_of_a_request_of_before_is_not_the_next_starts(folder):
    """A board without power says nothing: that its download is over shows when somebody watches its next start."""
    with https_lab(folder) as lab:
        updates = Updates(lab.client, DEVICE, board="b")
        updates.offer(bytes(100_000))
        updates.fault("stall", at=32768, lasts=HANGS)
        before = asks(lab)
        asked = lab.server.journal.requests[0]
        with updates.watched(lambda _progress: None) as seen:
            before.close()
            until(lambda: "seconds" in asked, "the server to see that it has gone")
            asks(lab).close()
            until(lambda: any(event["request"] > asked["request"] for event in seen), "the next request")
        assert {event["request"] for event in seen} == {asked["request"] + 1}, "the next start gave nothing up"


def a_release_ends_with_its_offer(folder):
    with https_lab(folder) as lab:
        updates = Updates(lab.client, DEVICE, board="b")
        updates.release("lamp", Image("new", "esp32", "2.0.0", b"four", "ok"))
        updates.withdraw()
        assert lab.client.withdraw_release(device=DEVICE) == [], "whoever starts next is still offered it"


class SlowToMake:
    """Makes an identity when it is let."""

    def __init__(self, lab):
        self.asked, self.let, self.issuer = threading.Event(), threading.Event(), lab.intermediate

    def issue(self, host, *_how):
        self.asked.set()
        self.let.wait(HANGS)
        return self.issuer.issue(host)


def whoever_has_an_identity_made_holds_nobody_up(folder):
    with https_lab(folder) as lab:
        making = lab.control._made = SlowToMake(lab)
        asking = threading.Thread(target=lab.client.issue, args=(HOST, "slow", {}, None))
        asking.start()
        making.asked.wait(HANGS)
        threading.Timer(1, making.let.set).start()  # a server that waits for it serves nobody before
        python_from(lab, "127.0.0.9", lab.ca)
        held_up = making.let.is_set()
        asking.join()
        assert not held_up, "a board was served when somebody else's key was made, and not before"


# -- a device's clock --------------------------------------------------------------------------------------------------
