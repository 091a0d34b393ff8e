"""Facts about endpoints and firmware as a look shows them: what holds now, and what changed."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rig.trust.watch.config import Level


class FactKind(enum.StrEnum):
    """What can be told; receivers of alerts may choose by it."""

    #: A change: an address shows another chain. It happens, and is not resolved.
    IDENTITY_CHANGED = "identity-changed"
    UNREACHABLE = "unreachable"
    #: A certificate that is served, or that firmware pins, ends soon or has ended.
    ENDING = "ending"
    #: The leaf is to be renewed soon; or should have been.
    RENEWAL = "renewal"
    #: Firmware does not accept what is shown at some address, or at all.
    REFUSED = "refused"
    #: Firmware has no server left.
    DARK = "dark"
    ADDRESSES_DISAGREE = "addresses-disagree"
    FLAW = "flaw"
    #: Certificates are shown, but the handshake does not complete.
    HANDSHAKE_FAILS = "handshake-fails"
    #: A name has more addresses than are looked at.
    LEFT_OUT = "left-out"
    #: What is shown broke the judgement itself.
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of one subject (an endpoint, or firmware); `about` tells it from others of its kind there.

    As long as it holds it is one fact, however its text and its level move. It is told again when its `stage` rises,
    as that of an end that comes nearer. `addresses` are where it was seen: it is over when none of them shows it.
    """

    kind: FactKind
    about: str
    text: str
    level: Level
    stage: int = 1
    addresses: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name among the facts of its subject."""
        return f"{self.kind}: {self.about}" if self.about else str(self.kind)
