"""The setup of a scenario in memory: the model of a board, real TLS by mbedTLS against OpenSSL, no sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import cache

from rig.boards.server_log import ServerLog
from rig.families.esp32.firmware import details
from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.images import App
from rig.families.esp32.formats.otadata import Record, State
from rig.firmware.checkout import part
from rig.firmware.manifest import Manifest
from rig.trust.identity import Identity, pem
from rig.trust.scenario import Scenario, Scenarios
from rig.trust.tls.context import TlsSettings
from rig.trust.web_pki import WebPki
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, World, built
from tests.rig.families.esp32.twin.app.app_server import Answer, Asked, answer, serving

CABLE = App(seed="cable", version="3.0.0")


@cache
def pki() -> WebPki:
    return WebPki.make()


@cache
def manifest() -> Manifest:
    return Manifest.load(part("firmware-fixtures", "manifest.toml"))


@cache
def scenarios() -> Scenarios:
    return Scenarios.load(part("firmware-fixtures", "scenarios.toml"))


def behaviour_of(variant: str, role: str = "old") -> EspBehaviour:
    """How a variant's image behaves; its address as a board with its own would ask."""
    found = details.behaviour_of(manifest().roles("esp32", None if variant == "default" else variant)[role])
    assert found is not None
    return found


class WorldSetup:
    """One variant on the model."""

    def __init__(self, variant: str):
        self.world = World(behaviour_of(variant), new=behaviour_of(variant, "new"))
        self.world.record(0, Record.of(1, State.VALID))
        self.world.hosts = {}
        self.world.files |= {name: pem(pki().certificate(name)).decode() for name in pki().authorities}
        self.world.files["bundle"] = "".join(pem(root).decode() for root in pki().bundle)
        self._shown: dict[str, Identity] = {}

    # -- what servers show -------------------------------------------------------------------------------------------

    def show(self, scenario: Scenario, *, after: bool) -> dict[str, str]:
        servers = scenario.after if after else scenario.before
        told: dict[str, str] = {}
        for host, recipe in servers.items():
            self._shown[host] = pki().issue(host, recipe, self._shown.get(host))
            told[host] = self._shown[host].fingerprint
        self.world.hosts.update(self._shown)
        self.world.tls = {}
        for host, tls in scenario.tls.items() if after else ():
            self.world.tls[host] = TlsSettings(**tls.model_dump(exclude_none=True))
        self._set_clock(scenario.now_after if after else scenario.clock)
        return told

    def _set_clock(self, now: datetime | None) -> None:
        self.world.board.network_time = lambda: time.time if now is None else now.timestamp

    # -- what the board does -----------------------------------------------------------------------------------------

    def look(self) -> ServerLog:
        return self._seen(lambda _asked: answer(304))

    def fetch(self, meanwhile: Callable[[], None]) -> bool:
        self._half_way(meanwhile)
        self.world.late()
        self.world.run(400, until="checked:")
        return self._comes_to_run("ota_1")

    def cut_fetch(self) -> None:
        self._half_way(lambda: None)
        self.power_off()

    def power_off(self) -> None:
        self.world.board.power_off(self.world.board.time)

    def update(self) -> bool:
        running = self._slot()
        image = built(NEW if running == "ota_0" else OLD)
        self._seen(serving(image))
        return self._comes_to_run("ota_1" if running == "ota_0" else "ota_0")

    def rescue_by_cable(self) -> None:
        self.power_off()
        self.world.install(0, CABLE, behaviour_of("fleet-1.0.7"))
        self.world.record(0, Record.of(1, State.VALID))
        self.world.record(1, None)

    def runs(self) -> bool:
        return self._comes_to_run("ota_0") and "crash" not in self.world.events

    # -- how ---------------------------------------------------------------------------------------------------------

    def _seen(self, answers: Callable[[Asked], Answer]) -> ServerLog:
        world, seen = self.world, ServerLog()
        world.answers, peers, asked = answers, len(world.peers), len(world.asked)
        self._start()
        world.run(400, until="checked:")
        seen.handshakes = [peer.to_dict() for peer in world.peers[peers:]]
        seen.requests = [vars(request) for request in world.asked[asked:]]
        return seen

    def _half_way(self, meanwhile: Callable[[], None]) -> None:
        """Let the board begin to fetch, and do `meanwhile` when half of the image has come, or two pieces of it."""
        pieces, done = serving(built(NEW)), []

        def answers(asked: Asked) -> Answer:
            if asked.method == "GET" and asked.headers.get("range", "bytes=0-") == "bytes=0-":
                whole = pieces(asked).data
                return Answer(whole[: len(whole) // 2], hangs_up=False, later=whole[len(whole) // 2 :])
            if asked.headers.get("range", "").startswith("bytes=16384-"):
                meanwhile()
                done.append(True)
            return pieces(asked)

        self.world.answers = answers
        self._start()
        for _ in range(4000):
            if done or (self.world.peers and self.world.peers[-1].later):
                break
            self.world.run(0.01)
        if not done:
            meanwhile()

    def _start(self) -> None:
        self.power_off()
        self.world.board.power_on(self.world.board.time)

    def _slot(self) -> str | None:
        return self.world.boot()

    def _comes_to_run(self, slot: str) -> bool:
        self.world.answers = lambda _asked: answer(304)
        first = self.world.boot(120)
        self.world.run(30)
        return first == slot and self.world.board.running == slot
