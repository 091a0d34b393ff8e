"""Looks at endpoints. Who does not answer is looked at again before that is a fact, unhurriedly and with more patience.

A look that this machine was too busy for is no look: it counts for nothing and against nobody.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from rig.ports import format_address
from rig.trust.look.busy_aware_timeout import BusyAwareTimeout
from rig.trust.look.dialling import sni_name
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import Served, fetch
from rig.trust.probe.clients import ESP32
from rig.trust.watch.config import WatchedEndpoint
from rig.trust.watch.look import Look, Shown
from rig.trust.watch.resolver import FAMILIES, look_up

#: More addresses of one name are not looked at, and it is said how many.
MOST_ADDRESSES = 32
#: So many looks without an answer are a fact; each has so many times the time-out of the first.
PATIENCE = (1.0, 1.5, 2.0)
#: So many are made to come to that; those that this machine was too busy for are among them.
MOST_LOOKS = 6
#: The share of those at once that later looks have among themselves.
QUIET = 2
Places = tuple[tuple[str, int], ...]
Seen = TypeVar("Seen", Places, Shown)


class Scanner:
    """Looks at so many addresses at once, each for so many seconds at first, with a pause before each further look."""

    def __init__(self, at_once: int, seconds: float, pause: float):
        self._room, self._quiet = asyncio.Semaphore(at_once), asyncio.Semaphore(max(at_once // QUIET, 1))
        self._seconds, self._pause = seconds, pause

    async def look(self, endpoint: WatchedEndpoint, at: datetime) -> Look:
        """See every address of an endpoint at the same time: none waits for another. Never raises."""
        places = endpoint.places or await self._confirm(lambda seconds: _places(endpoint, seconds))
        if isinstance(places, Refusal):
            if places.kind == "busy":
                return Look(at, lost={endpoint.host: places.message})
            return Look(at, unknown=places.message)
        few, rest = places[:MOST_ADDRESSES], places[MOST_ADDRESSES:]
        seen = await asyncio.gather(*(self._look_at(place, endpoint.host) for place in few))
        found = dict(zip((format_address(*place) for place in few), seen, strict=True))
        missing = {address: one for address, one in found.items() if isinstance(one, Refusal)}
        return Look(
            at,
            shown={address: one for address, one in found.items() if isinstance(one, Shown)},
            unseen={address: one.message for address, one in missing.items() if one.kind != "busy"},
            lost={address: one.message for address, one in missing.items() if one.kind == "busy"},
            left_out=len(rest),
        )

    async def _look_at(self, place: tuple[str, int], host: str) -> Shown | Refusal:
        return await self._confirm(lambda seconds: _glance(place, host, seconds))

    async def _confirm(self, look: Callable[[float], Awaitable[Seen | Refusal]]) -> Seen | Refusal:
        """What is seen, at the latest by the last look; a refusal where there was nothing at as many looks as count."""
        failures = 0
        for number in range(MOST_LOOKS):
            if number:
                await asyncio.sleep(self._pause)
            async with self._quiet if number else self._room:
                seen = await look(self._seconds * PATIENCE[failures])
            trouble = seen.kind if isinstance(seen, Refusal) else seen.trouble if isinstance(seen, Shown) else None
            if trouble is None:
                return seen
            failures += trouble != "busy"
            if failures == len(PATIENCE):
                return seen
        return Refusal("busy", f"could not be looked at: this machine was too busy for {MOST_LOOKS - failures} looks")


async def _places(endpoint: WatchedEndpoint, seconds: float) -> Places | Refusal:
    """Every address of a name, once, in an order that is always the same."""
    name, timeout = sni_name(endpoint.host) or endpoint.host, BusyAwareTimeout(seconds)
    try:
        async with timeout:
            found = await look_up(name, FAMILIES[endpoint.family])
    except TimeoutError:
        if timeout.is_lost:
            return Refusal("busy", f"this machine was {timeout.late:.1f} s late with asking for {endpoint.host}")
        return Refusal("no such name", f"nobody knows where {endpoint.host} is: no answer in {seconds:g} s")
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return Refusal("busy", f"this machine cannot ask for {endpoint.host}: {error.strerror}")
        return Refusal("no such name", f"nobody knows where {endpoint.host} is: {error.strerror or error}")
    return tuple((address, endpoint.port) for address in sorted(set(found)))


async def _glance(place: tuple[str, int], host: str, seconds: float) -> Shown | Refusal:
    """What an ESP32 is shown there, else what others are; a refusal says why nobody is shown anything."""
    try:
        return _shown(await fetch(place, host, offer=ESP32, seconds=seconds))
    except Refusal as refusal:
        shut_out = refusal
    if not shut_out.is_nothing_shared:
        return shut_out
    try:
        return _shown(await fetch(place, host, seconds=seconds), shut_out.message)
    except Refusal as refusal:
        return refusal


def _shown(served: Served, shut_out: str = "") -> Shown:
    return Shown(served.chain, shut_out, "" if served.completed else served.ended, served.trouble)
