"""Why nobody could see what an endpoint serves: by name, so that a program can tell one reason from another."""

from __future__ import annotations

from typing import Literal

from rig.errors import LabFault
from rig.formats.tls_records import Alert

#: `refused`: nobody listens. `alert`: the server ended it and said why. `version`: it chose one that was not offered.
#: `closed`, `reset`: it left without a word. `too much`: it talks without end. `broken`: TLS against its rules.
#: `busy`: this machine had no time or means to look, and nothing is known of the endpoint.
RefusalKind = Literal[
    "no such name",
    "unreachable",
    "refused",
    "timeout",
    "reset",
    "closed",
    "not TLS",
    "alert",
    "version",
    "too much",
    "broken",
    "busy",
]
#: What a server says, rightly, when it shares no suite, or no version, with a client.
_NOTHING_SHARED = ("handshake_failure", "insufficient_security", "protocol_version")


class Refusal(LabFault):
    """An endpoint showed no certificates: `kind` says why, `alert` is the server's where it sent one."""

    def __init__(self, kind: RefusalKind, message: str, alert: Alert | None = None):
        super().__init__(message)
        self.kind: RefusalKind = kind
        self.alert = alert

    @property
    def is_answered(self) -> bool:
        """Whether somebody was there who speaks TLS: another offer may do."""
        return self.kind in ("alert", "version", "closed", "reset", "broken")

    @property
    def is_nothing_shared(self) -> bool:
        """Whether the server said that it shares no version or no suite with the offer."""
        return self.kind == "version" or (self.alert is not None and self.alert.name in _NOTHING_SHARED)
