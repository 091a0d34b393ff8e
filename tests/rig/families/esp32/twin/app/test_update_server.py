"""An ESP32's update clients against the rig's own update server, over real TCP and TLS, seen from both sides."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.servers.https.faults import Fault
from rig.servers.https.policy import Release
from rig.servers.https.server import UpdateServer
from rig.trust.authority import make_root
from rig.trust.identity import pem
from rig.twin.network import Network, Routes
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, built, https

HOSTS = ("ota.rig.test", "ota9.rig.test", "ota2.deploythefleet.com", "ota4.deploythefleet.com")
ROOT, OWN_ROOT, STRANGER = make_root("Root"), make_root("Own Root"), make_root("Stranger")
A, B = ROOT.intermediate("A"), ROOT.intermediate("B")
#: For waits on real sockets: none is ever as long as this.
DEADLINE = 60.0


class Lab:
    """A board in this process, on a real clock and real sockets, and the server its names lead to."""

    def __init__(self, behaviour: EspBehaviour):
        self.world = World(behaviour, new=behaviour, time_scale=0.0)
        self.board = self.world.board
        self.world.files.update(
            root=_pem(ROOT), a=_pem(A), stranger=_pem(STRANGER), bundle=_pem(ROOT), **{"isrg-root-x1": _pem(ROOT)},
            **{"cloudflare-origin-ca": _pem(STRANGER), "dtf-root-x1": _pem(OWN_ROOT), "lets-encrypt-r3": _pem(A)},
        )  # fmt: skip
        self.server = UpdateServer(
            {host: (OWN_ROOT if host[3] in "94" else A).issue(host) for host in HOSTS},
        )
        self.server.files.publish("/image.bin", built(NEW))
        release = Release(NEW.version, self.server.files.publish("/release", built(NEW)))
        for product in ("image.bin", "prod-1"):
            self.server.policy.release(product, release)
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        port = await self.server.start("127.0.0.1", 0)
        tcp, loop = self.board.tcp, asyncio.get_running_loop()
        self._began = loop.time()
        self.routes = Routes(default=("127.0.0.1", port))
        self.network = Network(self.routes, self._happened, lambda: len(tcp.received))
        tcp.on_order = self.network.order

    def power_on(self) -> None:
        """Power returns, and the board begins."""
        self.board.power_on(self.now())
        self._wake()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.network.close()
        await self.server.close()

    async def until(self, name: str) -> None:
        """Wait for an event of that name that is new."""
        seen = len(self.world.events)
        async with asyncio.timeout(DEADLINE):
            while not any(event.startswith(name) for event in self.world.events[seen:]):
                self._changed.clear()
                await self._changed.wait()

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _happened(self, what: str, data: bytes) -> None:
        self.board.network(what, data, self.now())
        self._wake()

    def _wake(self) -> None:
        self.board.advance(self.now())
        self.network.resume()
        self._changed.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.board.due() != math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(self.board.due() - self.now(), 0), self._wake)

    @property
    def handshakes(self) -> list[tuple[str | None, str, str | None]]:
        """Host, outcome and the client's alert of each."""
        return [
            (one.host, one.outcome, one.alert.name if one.alert is not None else None)
            for one in self.server.endpoint.handshakes
        ]


def _pem(authority: Any) -> str:
    return pem(authority.certificate).decode()


def run(behaviour: EspBehaviour, story: Callable[[Lab], Awaitable[None]], *, powered: bool = True) -> Lab:
    """Play a story, from power-on or before, and clean up."""

    async def play() -> Lab:
        lab = Lab(behaviour)
        await lab.start()
        try:
            if powered:
                lab.power_on()
            await story(lab)
        finally:
            await lab.close()
        return lab

    return asyncio.run(play())


def checking(**fields: object) -> EspBehaviour:
    """Looks for updates twice a second."""
    known: dict[str, object] = {"url": "https://ota.rig.test/image.bin", "pins": ("root",), "checks_every": 0.5}
    return https(**{**known, **fields})


CLIENTS: dict[str, EspBehaviour] = {
    "esp_https_ota": checking(),
    "esp_https_ota, in pieces": checking(partial=65536),
    "esp_https_ota, resuming": checking(resumption=True),
    "esp_https_ota, all erased first": checking(bulk_erase=True, rollback=True),
    "an intermediate as pin": checking(pins=("a",)),
    "Arduino": EspBehaviour(client="arduino", url="https://ota.rig.test/image.bin", pins=("root",), checks_every=0.5),
    "Deploy the Fleet 1.0.4": EspBehaviour(
        client="deploy-the-fleet", fleet_release="1.0.4", url="https://ota.rig.test/image.bin", checks_every=0.5
    ),
    "Deploy the Fleet 1.0.8": EspBehaviour(
        client="deploy-the-fleet", fleet_release="1.0.8", url="https://ota.rig.test/image.bin", checks_every=0.5
    ),
    "Deploy the Fleet 2.0.2": EspBehaviour(
        client="deploy-the-fleet", fleet_release="2.0.2", product="prod-1", checks_every=0.5
    ),
}


@pytest.mark.parametrize("case", CLIENTS)
def test_every_client_gets_its_update_from_the_rig_s_own_server(case):
    """And finds nothing newer then."""

    async def story(lab: Lab) -> None:
        await lab.until("start:ota_1:new")
        await lab.until("checked:no-update")

    lab = run(CLIENTS[case], story)
    assert lab.world.in_slot(1, len(built(NEW))) == built(NEW)
    assert "checked:failed" not in lab.world.events
    if CLIENTS[case].client != "https-ota":
        assert [entry["version"] for entry in lab.server.journal.check_ins] == [OLD.version, NEW.version]
        assert [entry["status"] for entry in lab.server.journal.check_ins] == [200, 304]


def test_a_wrong_pin_is_an_alert_at_the_server_and_nothing_else():
    async def story(lab: Lab) -> None:
        await lab.until("checked:failed")
        await lab.until("checked:failed")

    lab = run(checking(pins=("stranger",)), story)
    assert lab.handshakes[0] == ("ota.rig.test", "aborted", "unknown_ca")
    assert not lab.server.journal.requests
    assert lab.board.running == "ota_0"


def test_a_swap_to_another_intermediate_is_the_end_for_those_who_pinned_the_first():
    """July 2024 in small (§7.5): the root's pin passes, the intermediate's does not, and swapping back recovers."""

    async def story(lab: Lab) -> None:
        former = lab.server.endpoint.host("ota.rig.test").identity
        lab.server.swap("ota.rig.test", B.issue("ota.rig.test"))
        await lab.until("checked:failed")
        lab.server.swap("ota.rig.test", former)
        await lab.until("checked:installed")

    lab = run(checking(pins=("a",)), story)
    assert lab.handshakes[0][1:] == ("aborted", "unknown_ca")
    passed = run(checking(pins=("root",)), _swapped_and_installed)
    assert passed.handshakes[0][1] == "completed"


async def _swapped_and_installed(lab: Lab) -> None:
    lab.server.swap("ota.rig.test", B.issue("ota.rig.test"))
    await lab.until("checked:installed")


#: Release, and what it tells a host that it does not trust: 2.x has a bundle, whose refusal is mbedTLS's "other".
FALLBACKS: dict[str, tuple[dict[str, str], str, str | None]] = {
    "1.0.7": ({"url": "https://ota.rig.test/image.bin"}, "unknown_ca", "1"),
    "2.0.2": ({"product": "prod-1"}, "access_denied", None),
}


@pytest.mark.parametrize("library", FALLBACKS)
def test_a_fleet_falls_back_to_the_host_with_its_own_root(library):
    async def story(lab: Lab) -> None:
        for host in ("ota.rig.test", "ota2.deploythefleet.com"):
            lab.server.swap(host, make_root("Nobody's Root").issue(host))
        await lab.until("checked:installed")

    address, alert, bundle = FALLBACKS[library]
    known = {"client": "deploy-the-fleet", "fleet_release": library, "checks_every": 0.5, **address}
    lab = run(EspBehaviour.model_validate(known), story)
    entries = lab.server.journal.check_ins[0]
    assert entries["host"] in ("ota9.rig.test", "ota4.deploythefleet.com")
    assert entries["bundle"] == bundle
    assert lab.handshakes[0][1:] == ("aborted", alert)


#: What goes wrong once; the next check brings the update all the same. Updater asks a connection that is gone for half
#: a minute, so that only what it sees at once is tried with it here.
FAULTS = (
    *(("esp_https_ota", fault) for fault in ("close@40000", "reset@40000", "status@500", "status@204", "empty",
                                             "wrong-length@999999", "random", "truncated@64000")),
    *(("Arduino", fault) for fault in ("status@500", "status@403", "empty", "wrong-md5", "random", "chunked")),
)  # fmt: skip


@pytest.mark.parametrize(("client", "fault"), FAULTS, ids=[f"{client}: {fault}" for client, fault in FAULTS])
def test_what_goes_wrong_once_fails_that_update_alone(client, fault):
    async def story(lab: Lab) -> None:
        lab.server.faults.add(Fault.parse(fault))
        await lab.until("checked:failed")
        assert lab.board.running == "ota_0"
        await lab.until("start:ota_1:new")

    run(CLIENTS[client], story)


@pytest.mark.parametrize(("idf", "first"), [("5.5.3", None), ("5.5.4", "bytes=0-")])
def test_a_resumed_download_asks_for_what_is_missing(idf, first):
    async def story(lab: Lab) -> None:
        lab.server.faults.add(Fault.parse("close@60000"))
        await lab.until("checked:failed")
        await lab.until("checked:installed")

    lab = run(checking(idf=idf, resumption=True), story)
    wanted = [entry["range"] for entry in lab.server.journal.requests]
    assert wanted[0] == first
    assert 40_000 < int(wanted[1].removeprefix("bytes=").rstrip("-")) <= 60_000
    assert lab.world.in_slot(1, len(built(NEW))) == built(NEW)
