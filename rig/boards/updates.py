"""An ESP32 and its update server, as the bench sees them: what is offered to it, what it asked for, how far it came."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.drivers.dfu_host import Progress, Watcher
from rig.errors import RigError
from rig.firmware.manifest import Image

if TYPE_CHECKING:
    from rig.drivers.https_cloud import HttpsCloudClient

#: What the server tells, as phases that a cut can aim at.
PHASES = {"request": "request", "finished": "sent", "aborted": "aborted"}

Event = dict[str, Any]


class Updates:
    """One board behind `client`; `mac` is its base address, 12 hex digits. What is raised carries the board's name."""

    def __init__(self, client: HttpsCloudClient, mac: str, *, board: str):
        self.client, self.mac = client, mac.replace(":", "").lower()
        self._board = board

    @property
    def path(self) -> str:
        """Where firmware that asks under its own address finds an update."""
        return f"/{self.mac}/app.bin"

    @contextmanager
    def offered(self, image: Image) -> Iterator[None]:
        """While inside, the board finds `image` when it looks for an update."""
        self.offer(image.data)
        try:
            yield
        finally:
            self.withdraw()

    def offer(self, data: bytes) -> None:
        """Let the board find this when it looks for an update."""
        with self._named(), tempfile.NamedTemporaryFile(suffix=".bin") as file:
            Path(file.name).write_bytes(data)
            self.client.publish(Path(file.name), self.path)

    def withdraw(self) -> None:
        """Offer nothing; faults that wait for this board are forgotten."""
        with self._named():
            with contextlib.suppress(RigError):
                self.client.ask("withdraw", path=self.path)
            self.client.ask("clear-faults", device=self.mac)

    def release(self, product: str, image: Image) -> None:
        """Make the image this board's newest release of a product."""
        with self._named(), tempfile.NamedTemporaryFile(suffix=".bin") as file:
            Path(file.name).write_bytes(image.data)
            self.client.release(product, image.version, Path(file.name), devices=[self.mac])

    def check_ins(self) -> list[Event]:
        """When the board has asked for an update, and what it was answered, oldest first."""
        with self._named():
            return [told for told in self.client.log("check-ins") if told["device"] == self.mac]

    def fault(self, kind: str, **how: Any) -> None:
        """Let something go wrong with this board's next request."""
        with self._named():
            self.client.fault(kind, device=self.mac, **how)

    def requests(self) -> list[Event]:
        """What the board has asked for, oldest first."""
        with self._named():
            return [asked for asked in self.client.log("requests") if asked["device"] == self.mac]

    @contextmanager
    def watched(self, watch: Watcher) -> Iterator[list[Event]]:
        """While inside, `watch` is told of phases as the server sees them; yields the events as they come."""
        seen: list[Event] = []

        def use(event: Event) -> None:
            if event["device"] != self.mac:
                return
            seen.append(event)
            if event["event"] == "progress":
                watch(Progress("download", 0, event["start"] + event["sent"], event["start"] + event["of"]))
            elif event["event"] in PHASES:
                watch(Progress(PHASES[event["event"]], 0, 1, 1))

        with self._events(use):
            yield seen

    @contextmanager
    def _events(self, use: Callable[[Event], None]) -> Iterator[None]:
        def listen() -> None:
            with contextlib.suppress(RigError):  # closed, or the server is gone
                for event in told:
                    use(event)

        with self._named(), self.client.events(device=self.mac, patience=None) as told:
            thread = threading.Thread(target=listen, name="events of an ESP32", daemon=True)
            thread.start()
            yield
        thread.join()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except RigError as error:
            error.board = self._board
            raise
