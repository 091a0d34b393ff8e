"""What an endpoint shows, chain after chain, as its plan and its renewals have it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from cryptography import x509

from rig.errors import Misuse
from rig.trust.identity import Identity, load_chain
from rig.trust.recipe import IdentityRecipe
from rig.trust.timeline.lifetimes import SHORTEST_INTERVAL, Renewal
from rig.trust.timeline.plan import PlannedEndpoint, Shows
from rig.trust.web_pki import WebPki

Chain = tuple[x509.Certificate, ...]
#: How a chain came to be shown; `seen` is one that was served when somebody looked, `end` that there is none any more.
Cause = Literal["swap", "renewal", "seen", "end"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A chain from a time on, until the next one; an empty chain is nobody there.

    `rivals` are chains that the authority could issue instead at this renewal; None: under any intermediate of its.
    """

    begins: datetime
    chain: Chain = field(repr=False)
    cause: Cause
    rivals: tuple[Chain, ...] | None = field(default=(), repr=False)
    #: Why an ESP32 is not shown it: server and device share no version or suite.
    shut_out: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything an endpoint is to show, in the order of time; at one `address` of several where it was looked at."""

    host: str
    port: int | None
    shown: tuple[Shown, ...]
    renewal: Renewal | None = None
    address: str = ""

    def at(self, when: datetime) -> Shown | None:
        """What is shown at a time; None before all of it."""
        number = bisect_right(self.shown, when, key=lambda one: one.begins)
        return self.shown[number - 1] if number else None

    def renewals(self, since: datetime) -> list[datetime]:
        """When it is renewed from a time on."""
        return [one.begins for one in self.shown if one.cause == "renewal" and one.begins >= since]


def answering(schedules: Sequence[Schedule], host: str, port: int) -> list[Schedule]:
    """Who answers there, at each address: an endpoint of this very port, else one of any port."""
    there = [one for one in schedules if one.host.lower() == host.lower().removesuffix(".")]
    return [one for one in there if one.port == port] or [one for one in there if one.port is None]


class RenewedLeaf:
    """A certificate that is not issued yet: like the one before it, with a validity of its own.

    It is no `x509.Certificate` (nobody but the authority could make it), and equal to none: who pins the leaf itself
    refuses it. Whatever else is asked of it is answered as by the one before.
    """

    def __init__(self, former: x509.Certificate, begins: datetime, ends: datetime):
        self._former = former
        self.not_valid_before_utc, self.not_valid_after_utc = begins, ends

    def __getattr__(self, name: str) -> object:
        return getattr(self._former, name)


def renewed(chain: Chain, begins: datetime, ends: datetime) -> Chain:
    """The same chain with a new leaf that is valid from and to these times."""
    former = chain[0]._former if isinstance(chain[0], RenewedLeaf) else chain[0]
    return (cast(x509.Certificate, RenewedLeaf(former, begins, ends)), *chain[1:])


class Chains:
    """Makes and reads the chains of plans: recipes under the authorities of a folder, or under new ones."""

    def __init__(self, authorities: Path | None = None):
        self._folder = authorities

    @cached_property
    def pki(self) -> WebPki:
        """Who issues; made when they are first needed. Raises Misuse."""
        return WebPki.make() if self._folder is None else WebPki.in_folder(self._folder)

    def issue(self, host: str, recipe: IdentityRecipe, begins: datetime, life: timedelta | None) -> Identity:
        """By a recipe, from a time on unless the recipe tells another; `life` where it is not the recipe's own."""
        days = recipe.days if life is None else life / timedelta(days=1)
        # No plan depends on a key, and none is used: one that is kept is a new one here.
        key = "p256" if recipe.key == "kept" else recipe.key
        changes = {"begins": recipe.begins or begins, "days": days, "key": key}
        return self.pki.issue(host, recipe.model_copy(update=changes))


@dataclass(frozen=True, slots=True)
class Seen:
    """What an endpoint served when somebody looked: it takes the place of all that was planned up to then.

    `shut_out` says why an ESP32 is not served there; the chain is then what others see, and its like is never served.
    """

    at: datetime
    chain: Chain
    address: str = ""
    shut_out: str = ""


def schedule(endpoint: PlannedEndpoint, chains: Chains, until: datetime, seen: Seen | None = None) -> Schedule:
    """All that an endpoint shows until a time. Raises Misuse for a file without certificates, an unknown authority."""
    entries = list(_entries(endpoint, seen))
    if sorted(entries, key=lambda one: one.since) != entries:
        raise Misuse(f"{endpoint.host}: a chain begins before the one that is shown before it", hint="tell its `from`")
    shown = list(_course(endpoint, entries, chains, min(until, endpoint.ends or until)))
    if endpoint.ends is not None and endpoint.ends < until:
        shown.append(Shown(endpoint.ends, (), "end"))
    if seen is not None and seen.shut_out:
        shown = [replace(one, shut_out=seen.shut_out) if one.begins >= seen.at else one for one in shown]
    address = "" if seen is None else seen.address
    return Schedule(endpoint.host, endpoint.port, tuple(shown), endpoint.renewal, address)


@dataclass(frozen=True, slots=True)
class _Entry:
    since: datetime
    at_renewal: bool
    cause: Cause
    chain: Chain = ()
    recipe: IdentityRecipe | None = None


def _entries(endpoint: PlannedEndpoint, seen: Seen | None) -> Iterator[_Entry]:
    if seen is not None:
        # What was shown before it is what the plan says.
        yield from (one for one in map(_entry, endpoint.shows) if one.since < seen.at)
        yield _Entry(seen.at, False, "seen", seen.chain)
    yield from (one for one in map(_entry, endpoint.shows) if seen is None or one.since > seen.at)


def _entry(shows: Shows) -> _Entry:
    chain = load_chain(shows.chain) if shows.chain is not None else ()
    since = shows.since if shows.since is not None else chain[0].not_valid_before_utc
    return _Entry(since, shows.takes_effect == "at-renewal", "swap", chain, shows.recipe)


def _course(endpoint: PlannedEndpoint, entries: Sequence[_Entry], chains: Chains, until: datetime) -> Iterator[Shown]:
    """Swaps at their times, and between them renewals; a change that waits for a renewal gets the first one."""
    entry, *coming = entries
    at, cause, former = entry.since, entry.cause, cast(Chain, ())
    while at < until:
        chain = _chain(endpoint, entry, chains, at, former)
        yield Shown(at, chain, cause, _rivals(endpoint, entry, chains, at) if cause == "renewal" else ())
        swap = next((one for one in coming if not one.at_renewal), None)
        due = _due(endpoint, chain, at)
        if swap is not None and (due is None or swap.since <= due):
            entry, coming = swap, coming[coming.index(swap) + 1 :]
            at, cause, former = entry.since, entry.cause, ()
        elif due is not None:
            at, cause, former = due, "renewal", chain
            while coming and coming[0].at_renewal and coming[0].since <= due:
                entry, former = coming.pop(0), ()
        else:
            return


def _chain(endpoint: PlannedEndpoint, entry: _Entry, chains: Chains, at: datetime, former: Chain) -> Chain:
    """The first chain of an entry, or with `former` the next one after that."""
    renewal = endpoint.renewal
    if former and renewal is not None:
        usual = former[0].not_valid_after_utc - former[0].not_valid_before_utc
        return renewed(former, at, at + renewal.life(at, usual))
    if entry.recipe is None:
        return entry.chain
    life = None if renewal is None else renewal.life(at, timedelta(days=entry.recipe.days))
    return chains.issue(endpoint.host, entry.recipe, at, life).chain


def _due(endpoint: PlannedEndpoint, chain: Chain, at: datetime) -> datetime | None:
    """When a chain is renewed; one that should have been long ago, on the day after it is shown."""
    if endpoint.renewal is None:
        return None
    due = endpoint.renewal.due(chain[0].not_valid_before_utc, chain[0].not_valid_after_utc)
    return max(due, at + SHORTEST_INTERVAL)


def _rivals(endpoint: PlannedEndpoint, entry: _Entry, chains: Chains, at: datetime) -> tuple[Chain, ...] | None:
    renewal = endpoint.renewal
    if renewal is None or renewal.issuer == "kept":
        return ()
    if renewal.issuer == "any" or entry.recipe is None:
        return None
    life = renewal.life(at, timedelta(days=entry.recipe.days))
    recipes = [entry.recipe.model_copy(update={"under": name, "behind": None}) for name in renewal.issuer]
    return tuple(chains.issue(endpoint.host, recipe, at, life).chain for recipe in recipes)
