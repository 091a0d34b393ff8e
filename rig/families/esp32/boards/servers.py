"""The servers that an ESP32 asks, as this board alone meets them: identities, the time, what they saw of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rig.boards.cloud_events import forwarding_events, with_board_name
from rig.boards.server_log import Event, ServerLog
from rig.errors import Misdescribed
from rig.ports import host_of

if TYPE_CHECKING:
    from rig.drivers.https_cloud import HttpsCloudClient

#: Events that tell where somebody came from.
_TOLD = ("handshake", "disconnected", "request")


class Servers:
    """What is shown to whoever comes from `address`: to this board and to nobody else."""

    def __init__(self, client: HttpsCloudClient, address: str, *, board: str):
        self._client, self._address, self._board = client, address, board
        self._names = 0

    def show(self, identities: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """From the next handshake on, hosts are these, by recipes as JSON; returns their sha256 by host."""
        shown: dict[str, str] = {}
        with with_board_name(self._board):
            for host, recipe in identities.items():
                self._names += 1
                name = f"{self._board}-{time.monotonic_ns():x}-{self._names}"
                shown[host] = str(self._client.issue(host, name, recipe, self._address)["sha256"])
                self._client.swap(host, name, self._address)
        return shown

    def set_tls(self, host: str, settings: Mapping[str, Any]) -> None:
        """Make handshakes with a host differently."""
        with with_board_name(self._board):
            self._client.ask("tls", host=host, client=self._address, **settings)

    def set_clock(self, now: float | None) -> None:
        """What the board is told when it asks for the time, in seconds since 1970; None: the truth."""
        with with_board_name(self._board):
            self._client.set_clock(self._address, now)

    def forget(self) -> None:
        """Show the board what everybody meets, and tell it the time as it is."""
        with with_board_name(self._board):
            self._client.forget(self._address)
            self._client.set_clock(self._address, None)

    @contextmanager
    def watched(self) -> Iterator[ServerLog]:
        """While inside, what the servers see of this board is noted: by its address, so handshakes that fail too."""
        seen = ServerLog(last_ns=time.monotonic_ns())

        def use(event: Event) -> None:
            if self._is_mine(event, seen):
                seen.use(event)

        with forwarding_events(self._client, use, board=self._board):
            yield seen

    def _is_mine(self, event: Event, seen: ServerLog) -> bool:
        """What becomes of a request tells its number only, everything else where it came from."""
        if event["event"] in ("check-in", "progress", "finished", "aborted"):
            return any(request["request"] == event.get("request") for request in seen.requests)
        return event["event"] in _TOLD and host_of(str(event["peer"])) == self._address


def servers_of(client: HttpsCloudClient | None, tags: Mapping[str, str], board: str) -> Servers:
    """A board's servers. Raises Misdescribed where its place has none, or does not tell the board's address."""
    if client is None or not tags.get("address"):
        raise Misdescribed(
            "its servers cannot show it an identity of its own here",
            board=board,
            hint="a place with an update server and the tag address=IP, as DHCP gives it",
        )
    return Servers(client, tags["address"], board=board)
