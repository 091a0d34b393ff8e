"""What a watch is tried on: TLS endpoints whose identities change, a webhook that comes and goes, a test's clock.

Every round of the lab's is a watch of its own that finds what the one before it left: a restart each time.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from rig.trust.identity import Identity
from rig.trust.recipe import IdentityRecipe
from rig.trust.tls.context import TlsSettings
from rig.trust.tls.endpoint import Endpoint
from rig.trust.watch.clock import WatchClock
from rig.trust.watch.config import read_watch_config
from rig.trust.watch.state import WatchState
from rig.trust.watch.watch import Round, Watch
from rig.trust.web_pki import WebPki
from tests.rig.loop_thread import LoopThread

HOST = "ota.rig.test"
#: A leaf of the days before the swap of July 2024, and when the lab begins.
BEGINS, TODAY = datetime(2024, 5, 25, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
#: What `line` makes of alerts that often come: what everybody is told of a swap, and of one that 1.0.4 does not take.
CHANGED = "happened identity-changed"
DARK = ["raised dark critical", "raised refused critical"]
FIRMWARE = """
[[firmware]]
name = "lamp-1.0.4"
esp32 = { client = "deploy-the-fleet", fleet_release = "1.0.4", url = "https://ota.rig.test/lamp" }
[[firmware]]
name = "lamp-1.0.5"
esp32 = { client = "deploy-the-fleet", fleet_release = "1.0.5", url = "https://ota.rig.test/lamp" }
"""


@functools.cache
def pki() -> WebPki:
    return WebPki.make()


@functools.cache
def issued(under: str = "lets-encrypt-r3", begins: datetime = BEGINS, days: float = 90, **recipe) -> Identity:
    """One for HOST; equal words give the same one."""
    return pki().issue(HOST, IdentityRecipe(under=under, begins=begins, days=days, **recipe))


class LabClock(WatchClock):
    """Stands still unless it is told; whoever pauses wakes when it has passed."""

    def __init__(self, date: datetime = TODAY):
        self.today = date
        self._sleepers: list[tuple[datetime, int, asyncio.Event]] = []
        self._count = 0

    def date(self) -> datetime:
        return self.today

    async def pause(self, seconds: float) -> None:
        self._count += 1
        wakes, event = self.today + timedelta(seconds=seconds), asyncio.Event()
        heapq.heappush(self._sleepers, (wakes, self._count, event))
        await event.wait()

    async def pass_by(self, **time) -> None:
        """Let time pass: whoever wakes meanwhile runs as long as there is something to do."""
        ends = self.today + timedelta(**time)
        while self._sleepers and self._sleepers[0][0] <= ends:
            wakes, _, event = heapq.heappop(self._sleepers)
            self.today = max(self.today, wakes)
            event.set()
            await asyncio.sleep(0.02)
        self.today = ends


class Receiver:
    """A webhook: takes alerts, or answers something else, or nothing."""

    def __init__(self):
        self.status, self.delay, self.refused_kind = 200, 0.0, ""
        self.got: list[dict] = []
        self.asked: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        alert = await request.json()
        if alert["kind"] == self.refused_kind:
            return web.Response(status=400)
        if self.status == 200:
            self.got.append(alert)
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status)

    def take(self) -> list[dict]:
        """What came since the last time."""
        came, self.got = self.got, []
        return came

    def counts(self) -> Counter[str]:
        return Counter(alert["alert"] for alert in self.got)


class WatchLab(LoopThread):
    """Endpoints and a webhook on a thread of their own; `round` looks at them."""

    def __init__(self, folder: Path):
        self.folder, self.clock, self.receiver = folder, LabClock(), Receiver()
        super().__init__()
        self.endpoints: dict[str, Endpoint] = {}
        self.messages: list[str] = []
        pki().publish(folder / "pins")
        self.run(self._listen())
        self.timeout = 2.0
        self.extra, self.addresses, self.firmware = "", list[str](), FIRMWARE
        self.alerts = f'[[alert.webhook]]\nurl = "{self.url}"\n'

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_post("/", self.receiver.answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    # -- the world -----------------------------------------------------------------------------------------------------

    def serve(self, identity: Identity | None = None, at: str = "127.0.0.1", **settings) -> str:
        """One more address that shows an identity; returns it."""
        who = identity or issued()
        endpoint = self.call(lambda: Endpoint({HOST: who}, asyncio.Protocol, settings=TlsSettings(**settings)))
        address = f"{at}:{self.run(endpoint.start(at, 0))}"
        self.endpoints[address] = endpoint
        self.addresses.append(address)
        return address

    def show(self, identity: Identity, *addresses: str) -> None:
        """Swap, at all addresses or these."""
        for address in addresses or self.endpoints:
            self.call(self.endpoints[address].swap, identity)

    def stop(self, address: str) -> None:
        self.call(self.endpoints[address].close)

    def start(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.run(self.endpoints[address].start(host, int(port)))

    # -- the watch -----------------------------------------------------------------------------------------------------

    def write_config(self) -> Path:
        path = self.folder / "watch.toml"
        addresses = json.dumps(self.addresses)
        top = f'pins = "pins"\nroots = "pins/bundle.pem"\ntimeout = {self.timeout}\nlook_again = 0.01\n{self.extra}'
        endpoint = f'[[endpoint]]\nhost = "{HOST}"\naddresses = {addresses}\n'
        path.write_text(f"{top}\n{endpoint}\n{self.firmware}\n{self.alerts}")
        return path

    @contextmanager
    def state(self) -> Iterator[WatchState]:
        state = WatchState(self.folder / "state")
        try:
            yield state
        finally:
            state.close()

    def round(self) -> Round:
        """One round of a watch that is started for it."""
        with self.state() as state:
            watch = Watch(
                read_watch_config(self.write_config()), state, clock=self.clock, on_message=self.messages.append
            )
            return asyncio.run(watch.once())

    def told_in_a_round(self) -> list[str]:
        """What the webhook got of a round: status, kind, and the level of what does not just end."""
        self.round()
        return sorted(line(alert) for alert in self.receiver.take())

    def close(self) -> None:
        for endpoint in self.endpoints.values():
            self.call(endpoint.close)
        self.run(self._runner.cleanup())
        super().close()


def line(alert: dict) -> str:
    """An alert in a few words."""
    return f"{alert['status']} {alert['kind']}{' ' + alert['level'] if alert['status'] == 'raised' else ''}"


def day(text: str) -> datetime:
    """A day, or a time of one, as ISO 8601 has it; it is UTC's."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def watch_lab(folder: Path) -> closing[WatchLab]:
    """One that ends with the block."""
    return closing(WatchLab(folder))


@pytest.fixture
def fresh_lab(tmp_path: Path) -> Iterator[WatchLab]:
    """A lab for one test, in which nothing is served yet; who uses it calls it `lab`."""
    with watch_lab(tmp_path) as lab:
        yield lab
