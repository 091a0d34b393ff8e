"""How long a server's certificate is issued for, and when it is renewed: the CA/B Forum's limits, and habits."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rig.trust.recipe import AuthorityName

Days = Annotated[float, Field(ge=1, le=36500, allow_inf_nan=False)]
#: Most days of a public certificate issued from a day on: ballots 193 (825, also for all before), SC31 (398) and
#: SC-081v3 (from 200 to 47), Baseline Requirements §6.3.2.
SCHEDULE = (
    (datetime(2018, 3, 1, tzinfo=UTC), 825),
    (datetime(2020, 9, 1, tzinfo=UTC), 398),
    (datetime(2026, 3, 15, tzinfo=UTC), 200),
    (datetime(2027, 3, 15, tzinfo=UTC), 100),
    (datetime(2029, 3, 15, tzinfo=UTC), 47),
)
#: What is asked of every plan: how often with these?
ASKED = (200, 100, 47)
#: What ACME clients do where nobody told them more.
SHARE_LEFT = 1 / 3
SHORTEST_INTERVAL = timedelta(days=1)


def longest(issued: datetime) -> timedelta:
    """The longest life of a public certificate that is issued at a time."""
    days = SCHEDULE[0][1]
    for since, most in SCHEDULE:
        if issued >= since:
            days = most
    return timedelta(days=days)


def _days_or_cab(value: Any) -> Any:
    is_days = isinstance(value, int | float) and 1 <= value <= 36500
    if value is None or value == "cab" or is_days:
        return value
    raise ValueError('needs days, from 1 to 36500, or "cab"')


class Renewal(BaseModel):
    """How an endpoint's certificate is renewed; the defaults are those of an ACME client with a public authority."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Days of each new certificate; `cab`: as many as public ones may have when they are issued; else as the last one.
    lifetime: Annotated[Literal["cab"] | Days | None, BeforeValidator(_days_or_cab)] = None
    #: Days before its end at which it is renewed; a third of its life where none is told.
    before_end: Days | None = None
    #: Who issues the next one: the planned authority (`kept`), one of these, or whichever intermediate its company
    #: likes that day (`any`).
    issuer: Literal["kept", "any"] | tuple[AuthorityName, ...] = "any"

    @model_validator(mode="after")
    def _renewed_in_its_life(self) -> Renewal:
        shortest = SCHEDULE[-1][1] if self.lifetime == "cab" else self.lifetime
        if self.before_end is not None and shortest is not None and self.before_end > shortest - 1:
            raise ValueError(f"before_end leaves no day of a life of {shortest:g} days")
        return self

    def life(self, issued: datetime, usual: timedelta) -> timedelta:
        """How long a certificate issued then is valid; `usual` is the life of the one before."""
        if self.lifetime == "cab":
            return longest(issued)
        return usual if self.lifetime is None else timedelta(days=self.lifetime)

    def due(self, begins: datetime, ends: datetime) -> datetime:
        """When a certificate with this validity is replaced, to the second; never on its first day."""
        return begins + self.interval(ends - begins)

    def interval(self, life: timedelta) -> timedelta:
        """From one certificate to the next. One that would be renewed before it begins is renewed at two thirds."""
        left = timedelta(days=self.before_end) if self.before_end is not None else life * SHARE_LEFT
        if left > life - SHORTEST_INTERVAL:
            left = life * SHARE_LEFT
        return timedelta(seconds=math.floor(max(life - left, SHORTEST_INTERVAL).total_seconds()))

    def count(self, days: float, first: datetime, until: datetime) -> int:
        """How many renewals from `first`, the next one, until a time (not included), if all then live `days`."""
        return max(math.ceil((until - first) / self.interval(timedelta(days=days))), 0)
