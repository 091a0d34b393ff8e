"""One look at an endpoint, as data: what each of its addresses shows, or why it shows nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from rig.trust.look.refusal import RefusalKind
from rig.trust.watch.config import WatchedEndpoint

Chain = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one address shows to an ESP32.

    `shut_out`: it has no version or suite for an ESP32, and the chain is what others see. `ended`: the handshake did
    not complete although certificates came, and how; `trouble` is the kind of that.
    """

    chain: Chain = field(repr=False)
    shut_out: str = ""
    ended: str = ""
    trouble: RefusalKind | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Addresses as `IP:PORT`: those that showed something, and the others with the reason.

    `unseen` did not answer; `lost` could not be looked at by this machine, and nothing is known of them (of none, where
    it is the host's name). `unknown` says why nobody knew any address; `left_out` is how many there are beyond those.
    """

    at: datetime
    shown: Mapping[str, Shown] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    unknown: str = ""
    left_out: int = 0
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        """Whether any address showed something."""
        return bool(self.shown)

    @property
    def is_lost(self) -> bool:
        """Whether it says nothing of whether the endpoint answers."""
        return bool(self.lost) and not self.shown


Looker = Callable[[WatchedEndpoint, datetime], Awaitable[Look]]
