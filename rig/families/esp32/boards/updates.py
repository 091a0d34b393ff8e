"""An ESP32 and its update server, as the bench sees them: what is offered to it, what it asked for, how far it came."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rig.boards.cloud_events import forwarding_events, with_board_name
from rig.drivers.progress import Progress, Watcher
from rig.errors import Misuse
from rig.firmware.manifest import Image

if TYPE_CHECKING:
    from rig.drivers.https_cloud import HttpsCloudClient

#: What the server tells, as phases that a cut can aim at.
PHASES = {"request": "request", "finished": "sent", "aborted": "aborted"}

Event = dict[str, Any]


class Updates:
    """One board behind `client`; `mac` is its base address, 12 hex digits, `address` where it comes from, if known.

    What is raised carries the board's name; `add_action` is told what is done.
    """

    def __init__(
        self,
        client: HttpsCloudClient,
        mac: str,
        *,
        board: str,
        address: str | None = None,
        add_action: Callable[[str], None] = lambda _action: None,
    ):
        self.client, self.mac = client, mac.replace(":", "").lower()
        self._board, self._address, self._add_action = board, address, add_action

    @property
    def path(self) -> str:
        """Where firmware that asks under its own address finds an update."""
        return f"/{self.mac}/app.bin"

    @contextmanager
    def offered(self, image: Image) -> Iterator[None]:
        """While inside, the board finds `image` when it looks for an update."""
        self.offer(image.data, image.name)
        try:
            yield
        finally:
            self.withdraw()

    def offer(self, data: bytes, name: str = "an image") -> None:
        """Let the board find this when it looks for an update."""
        self._add_action(f"offered {name}")
        with with_board_name(self._board):
            self.client.publish(data, self.path)

    def withdraw(self) -> None:
        """Offer nothing, neither by path nor as a release; faults that wait for this board are forgotten."""
        with with_board_name(self._board):
            with contextlib.suppress(Misuse):  # nothing is offered
                self.client.ask("withdraw", path=self.path)
            self.client.withdraw_release(device=self.mac)
            self.client.ask("clear-faults", device=self.mac)

    def clear(self) -> None:
        """Let nothing be left of what was done for this board: offers, faults, identities, the time."""
        self.withdraw()
        with with_board_name(self._board):
            if self._address is not None:
                self.client.forget(self._address)
                with contextlib.suppress(Misuse):  # a server that does not tell the time
                    self.client.set_clock(self._address, None)

    def release(self, product: str, image: Image) -> None:
        """Make the image this board's newest release of a product."""
        self._add_action(f"released {image.name}")
        with with_board_name(self._board):
            self.client.release(product, image.version, image.data, devices=[self.mac])

    def last_request(self) -> int:
        """The number of the last request, anybody's: what comes later has a higher one."""
        with with_board_name(self._board):
            return max((int(entry["request"]) for entry in self.client.log("requests", last=1)), default=0)

    def check_ins(self, after: int = 0) -> list[Event]:
        """When the board has asked for an update since a request, and what it was answered, oldest first."""
        with with_board_name(self._board):
            return self.client.log("check-ins", after=after, device=self.mac)

    def fault(self, kind: str, **how: Any) -> None:
        """Let something go wrong with this board's next request."""
        self._add_action(f"let its server make this go wrong: {kind}")
        with with_board_name(self._board):
            self.client.fault(kind, device=self.mac, **how)

    def clear_faults(self) -> None:
        """Nothing goes wrong any more that has not begun to."""
        with with_board_name(self._board):
            self.client.ask("clear-faults", device=self.mac)

    def requests(self, after: int = 0) -> list[Event]:
        """What the board has asked for since a request, oldest first."""
        with with_board_name(self._board):
            return self.client.log("requests", after=after, device=self.mac)

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

        with forwarding_events(self.client, use, board=self._board, device=self.mac):
            yield seen
