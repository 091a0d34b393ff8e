"""What is remembered of one subject, an endpoint or firmware, and how a look's facts become alerts: each told once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from rig.trust.watch.config import Level
from rig.trust.watch.fact import Fact, FactKind
from rig.trust.watch.identity import KnownIdentity

#: `raised`: it holds. `resolved`: it holds no more. `happened`: a change, which is never resolved.
Status = Literal["raised", "resolved", "happened"]


class Alert(BaseModel):
    """What is told, and exactly what receivers get as JSON.

    `alert` is the same in every repeat of one telling, so that a receiver can drop it; `fact` is the same in all that
    is told of one fact, from the first `raised` to `resolved`. `since` is when the fact was first seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert: str
    fact: str
    status: Status
    kind: FactKind
    level: Level
    subject: str
    text: str
    at: AwareDatetime
    since: AwareDatetime
    addresses: tuple[str, ...] = ()
    details: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%dT%H:%M:%SZ} {self.level:8} {self.status:8} {self.subject}: {self.text}"


class OpenFact(BaseModel):
    """A fact that holds and was told; `stage` is the highest that was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fact: str
    kind: FactKind
    level: Level
    stage: int
    since: AwareDatetime
    text: str
    addresses: tuple[str, ...] = ()


class Memory(BaseModel):
    """All that is known of one subject; only `looks`, `failures`, `lost` and the times may be lost without harm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    #: By address: what it showed last, how many looks in a row it did not answer, and since when.
    shown: dict[str, KnownIdentity] = {}
    missed: dict[str, int] = {}
    missed_since: dict[str, AwareDatetime] = {}
    #: By firmware: whether it accepts what all seen addresses show, some, or none.
    accepted: dict[str, Literal["all", "some", "none"]] = {}
    facts: dict[str, OpenFact] = {}
    #: Facts ever told of it: part of each one's id.
    alert_count: int = 0
    looks: int = 0
    failures: int = 0
    #: Looks that this machine was too busy for.
    lost: int = 0
    looked_at: AwareDatetime | None = None
    answered_at: AwareDatetime | None = None

    @property
    def is_answering(self) -> bool:
        """Whether the last look was answered by any address."""
        return self.looked_at is not None and self.looked_at == self.answered_at

    def differs(self, other: Memory) -> bool:
        """Whether anything differs that must not be lost."""
        lasting = ("shown", "missed_since", "accepted", "facts", "alert_count")
        return any(getattr(self, name) != getattr(other, name) for name in lasting)


def reconcile(
    memory: Memory, facts: Iterable[Fact], changes: Iterable[Fact], at: datetime, is_unseen: Callable[[str], bool]
) -> tuple[Memory, list[Alert]]:
    """What is remembered after a look, and what is to be told because of it.

    A fact that was not seen again is resolved, unless this look did not see one of its addresses.
    """
    count, alerts, opened = memory.alert_count, list[Alert](), dict[str, OpenFact]()
    for change in changes:
        count += 1
        alerts.append(_alert(memory.subject, change, _fact_id(memory.subject, change, at, count), "happened", at, at))
    for fact in facts:
        before = memory.facts.get(fact.key)
        if before is None:
            count += 1
            name, since = _fact_id(memory.subject, fact, at, count), at
        else:
            name, since = before.fact, before.since
        if before is None or fact.stage > before.stage:
            alerts.append(_alert(memory.subject, fact, name, "raised", at, since))
            text, level, stage = fact.text, fact.level, fact.stage
        else:
            text, level, stage = before.text, before.level, before.stage
        still = filter(is_unseen, before.addresses) if before is not None else ()
        addresses = tuple(dict.fromkeys((*fact.addresses, *still)))
        opened[fact.key] = OpenFact(
            fact=name, kind=fact.kind, level=level, stage=stage, since=since, text=text, addresses=addresses
        )
    for key, before in memory.facts.items():
        if key in opened:
            continue
        if unseen := tuple(filter(is_unseen, before.addresses)):
            opened[key] = before.model_copy(update={"addresses": unseen})
        else:
            alerts.append(resolved(memory.subject, before, at))
    return memory.model_copy(update={"facts": opened, "alert_count": count}), alerts


def resolved(subject: str, fact: OpenFact, at: datetime, why: str = "no longer") -> Alert:
    """What tells that a fact holds no more."""
    return Alert(
        alert=_digest(fact.fact, "resolved"),
        fact=fact.fact,
        status="resolved",
        kind=fact.kind,
        level=fact.level,
        subject=subject,
        text=f"{why}: {fact.text}",
        at=at,
        since=fact.since,
        addresses=fact.addresses,
    )


def _alert(subject: str, fact: Fact, name: str, status: Status, at: datetime, since: datetime) -> Alert:
    return Alert(
        alert=_digest(name, status, fact.stage),
        fact=name,
        status=status,
        kind=fact.kind,
        level=fact.level,
        subject=subject,
        text=fact.text,
        at=at,
        since=since,
        addresses=fact.addresses,
        details=dict(fact.details),
    )


def _fact_id(subject: str, fact: Fact, at: datetime, number: int) -> str:
    """Another one for each time a fact comes up, also where an earlier state was lost."""
    return _digest(subject, fact.key, at.isoformat(), number)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]
