"""What the servers of a board saw of it: handshakes, requests, how far a body came."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass(slots=True)
class ServerLog:
    """What the servers saw of one board while somebody watched, oldest first."""

    handshakes: list[Event] = field(default_factory=list)
    requests: list[Event] = field(default_factory=list)
    #: Versions that the board reported to a fleet's operator, and what it was answered.
    check_ins: list[tuple[str, int]] = field(default_factory=list)
    last_ns: int = 0
    #: Bytes that left of the body that is on its way, and the sizes of those that left whole.
    sent: int = 0
    whole: set[int] = field(default_factory=set)
    #: How many bodies the board, or who is on the way, gave up before they had left whole.
    aborted: int = 0

    @property
    def failures(self) -> tuple[str, ...]:
        """How the handshakes failed that did, in order: the alert sent, `refused` by the server, or `hung-up`."""
        return tuple(_failure(shook) for shook in self.handshakes if shook["outcome"] != "completed")

    def use(self, event: Event) -> None:
        """Take one event in."""
        self.last_ns = time.monotonic_ns()
        if event["event"] == "handshake":
            self.handshakes.append(event)
        elif event["event"] == "request":
            self.requests.append(event)
        elif event["event"] == "check-in":
            self.check_ins.append((event["version"], event["status"]))
        elif event["event"] == "aborted":
            self.aborted += 1
        elif event["event"] == "progress":
            self.sent = event["start"] + event["sent"]
            if event["sent"] == event["of"]:
                self.whole.add(self.sent)


def _failure(shook: Event) -> str:
    if shook["outcome"] == "aborted":
        return str(shook["alert"])
    return "refused" if shook["outcome"] == "refused" else str(shook["outcome"]).replace(" ", "-")
