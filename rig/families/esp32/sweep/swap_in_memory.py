"""Where scenarios of servers' identities are played in memory: an ESP32 on the model, and servers without sockets.

It is as rig.campaign.swap asks for, and does what the setup on a rack does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache

from rig.boards.server_log import ServerLog
from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.sweep.built import memory_with
from rig.families.esp32.sweep.servers_in_memory import ServersInMemory
from rig.families.esp32.sweep.start import MOST_STEPS, ColdStart
from rig.firmware.manifest import Image
from rig.firmware.server_trust import BUNDLE
from rig.trust.identity import Identity, pem
from rig.trust.recipe import IdentityRecipe
from rig.trust.scenario import Scenario
from rig.trust.tls.context import TlsSettings
from rig.trust.web_pki import AUTHORITIES, WebPki

#: How long before it is shown a certificate begins whose recipe says nothing: clocks that are late take it.
BEGAN = timedelta(days=1)
#: A board that has looked for updates is left alone for so many modelled seconds: by then it has confirmed itself.
SETTLES = 30.0


@cache
def _pki() -> WebPki:
    return WebPki.when_asked()


class Esp32SetupInMemory:
    """A board with the golden set in flash; images are by role, `cable` the one that somebody brings with a cable.

    `at` is when it is played: certificates begin by it, and devices are told it, where the scenario says nothing.
    """

    def __init__(self, images: Mapping[str, Image], at: datetime):
        self._images, self._runs, self._at = images, images["old"], at
        self._shown: dict[str, Identity] = {}
        self._servers = ServersInMemory()
        memory = memory_with(dict(golden_set(images).parts()))
        self._board = ColdStart.of(images).board(memory, trust=_pinned)
        self._board.tcp.on_order = self._servers.order

    # -- what servers show -------------------------------------------------------------------------------------------

    def show(self, scenario: Scenario, *, after: bool) -> dict[str, str]:
        """The same, with the time that the scenario tells; TLS settings come with the swap."""
        changed = scenario.after if after else scenario.before
        for host, recipe in changed.items():
            self._shown[host] = self._issued(host, recipe)
        settings = scenario.tls if after else {}
        for host in {**changed, **settings}:
            told = settings[host].model_dump(exclude_none=True) if host in settings else {}
            self._servers.show(host, self._shown[host], TlsSettings(**told))
        now = (scenario.now_after if after else scenario.clock) or self._at
        self._board.network_time = lambda: now.timestamp
        return {host: self._shown[host].fingerprint for host in changed}

    def _issued(self, host: str, recipe: IdentityRecipe) -> Identity:
        """Raises Misuse for what no certificate can say."""
        dated = recipe if recipe.begins is not None else recipe.model_copy(update={"begins": self._at - BEGAN})
        try:
            return _pki().issue(host, dated, self._shown.get(host))
        except (ValueError, OverflowError) as error:
            raise Misuse(f"{host} cannot be given such a certificate: {error}") from error

    # -- what the board does -----------------------------------------------------------------------------------------

    def look(self) -> ServerLog:
        """Start the board, which looks for updates then; returns what its servers saw of that."""
        self._start(None)
        self._run_until_looked()
        return self._servers.seen

    def fetch(self, meanwhile: Callable[[], None]) -> bool:
        """Let the board fetch the new image, and do `meanwhile` while the server holds the second half back."""
        self._fetch_half()
        meanwhile()
        self._servers.let_go(self._board)
        return self._comes_to_run(self._images["new"])

    def cut_fetch(self) -> None:
        """The same, and take the supply away."""
        self._fetch_half()
        self.power_off()

    def power_off(self) -> None:
        """Take the supply away."""
        self._board.power_off(self._board.time)
        while self._servers.serve(self._board):
            pass

    def update(self) -> bool:
        """Offer an image that does not run yet. Whether it comes to run."""
        other = self._images["new" if self._runs is not self._images["new"] else "old"]
        self._start(other)
        return self._comes_to_run(other)

    def rescue_by_cable(self) -> None:
        """Write the image that was brought, and see it run. Raises DeviceFault where it does not."""
        self.power_off()
        self._runs = self._images["cable"]
        golden = golden_set({**self._images, "old": self._runs})
        self._board.memory.flash.load(memory_with(dict(golden.parts())).flash.dump())
        if not self.runs():
            raise DeviceFault("what was written by cable does not run")

    def runs(self) -> bool:
        """Whether a start brings the firmware that ran before, and it stays."""
        self._start(None)
        self._settle()
        return self._started() == [self._runs.name]

    # -- how ---------------------------------------------------------------------------------------------------------

    def _start(self, offer: Image | None) -> None:
        """Start anew, and see only what comes of this start."""
        self.power_off()
        self._board.events.clear()
        self._servers.seen, self._servers.offer = ServerLog(), offer.data if offer is not None else None
        self._board.power_on(self._board.time)

    def _fetch_half(self) -> None:
        """Start the board, and hold back the second half of what it fetches at a time. Raises LabFault."""
        behaviour, new = behaviour_of(self._runs), self._images["new"]
        at_a_time = behaviour.partial if behaviour is not None and behaviour.partial else len(new)
        self._servers.hold_at = at_a_time // 2
        self._start(new)
        self._run(lambda: self._servers.holds)
        if not self._servers.holds:
            raise LabFault(f"{self._runs.name} did not come half-way through a download in memory")

    def _comes_to_run(self, image: Image) -> bool:
        """Whether an image that is on its way runs in the end, and is started again."""
        self._settle()
        self._start(None)
        self._settle()
        if self._started() != [image.name]:
            return False
        self._runs = image
        return True

    def _started(self) -> list[str]:
        """Names of what the board started since it was started."""
        names = [event.name for event in self._board.events]
        return [name.split(":", 2)[2] for name in names if name.startswith("start:")]

    def _run_until_looked(self) -> None:
        self._run(lambda: any(self._is_end(event.name) for event in self._board.events))

    @staticmethod
    def _is_end(name: str) -> bool:
        """Whether this ends a look for updates, and no restart follows."""
        return name.startswith("checked:") and name != "checked:installed"

    def _settle(self) -> None:
        self._run_until_looked()
        until = self._board.time + SETTLES
        self._run(lambda: self._board.due() > until)

    def _run(self, is_over: Callable[[], bool]) -> None:
        """Let things happen, what the network brings first. Raises LabFault where that does not end."""
        for _ in range(MOST_STEPS):
            if self._servers.serve(self._board):
                continue
            if is_over() or not self._board.step():
                return
        raise LabFault(f"{self._runs.name} does not come to an end in memory")


def _pinned(name: str) -> str | None:
    """The PEM of what firmware pins by name."""
    if name == BUNDLE:
        return "".join(pem(root).decode() for root in _pki().bundle)
    return pem(_pki().certificate(name)).decode() if name in AUTHORITIES else None
