"""One look at an endpoint: what each of its addresses shows, or why it shows nothing. Nothing is judged here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from rig.trust.look.dialling import sni_name, told
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import Served, fetch
from rig.trust.probe.clients import ESP32
from rig.trust.watch.config import WatchedEndpoint

#: More addresses of one name are not looked at, and it is said how many.
MOST_ADDRESSES = 32
_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
Chain = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one address shows to an ESP32.

    `shut_out`: it has no version or suite for an ESP32, and the chain is what others see. `ended`: the handshake did
    not complete although certificates came, and how.
    """

    chain: Chain = field(repr=False)
    shut_out: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Addresses as `IP:PORT`: those that showed something, and the others with the reason.

    `unknown` says why nobody knew any address; `left_out` is how many there are beyond those.
    """

    at: datetime
    shown: Mapping[str, Shown] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    unknown: str = ""
    left_out: int = 0

    @property
    def is_answered(self) -> bool:
        """Whether any address showed something."""
        return bool(self.shown)


Looker = Callable[[WatchedEndpoint, datetime], Awaitable[Look]]


class Eyes:
    """Looks at endpoints, so many addresses at once, each for so many seconds at most."""

    def __init__(self, at_once: int, seconds: float):
        self._room = asyncio.Semaphore(at_once)
        self._seconds = seconds

    async def look(self, endpoint: WatchedEndpoint, at: datetime) -> Look:
        """See every address of an endpoint at the same time: none waits for another. Never raises."""
        try:
            places = endpoint.places or await self._places(endpoint)
        except OSError as error:
            return Look(at, unknown=f"nobody knows where {endpoint.host} is: {error.strerror or error}")
        few, rest = places[:MOST_ADDRESSES], places[MOST_ADDRESSES:]
        seen = await asyncio.gather(*(self._look_at(place, endpoint.host) for place in few))
        found = dict(zip(map(told, few), seen, strict=True))
        shown = {address: one for address, one in found.items() if isinstance(one, Shown)}
        unseen = {address: one for address, one in found.items() if isinstance(one, str)}
        return Look(at, shown, unseen, left_out=len(rest))

    async def _places(self, endpoint: WatchedEndpoint) -> tuple[tuple[str, int], ...]:
        """Every address of a name, once, in an order that is always the same. Raises OSError."""
        name = sni_name(endpoint.host) or endpoint.host
        async with self._room:
            try:
                async with asyncio.timeout(self._seconds):
                    found = await _look_up(name, _FAMILIES[endpoint.family])
            except TimeoutError:
                raise OSError(f"no answer in {self._seconds:g} s") from None
        return tuple((address, endpoint.port) for address in sorted(set(found)))

    async def _look_at(self, place: tuple[str, int], host: str) -> Shown | str:
        """What an ESP32 is shown there, else what others are; a text says why nobody is shown anything."""
        async with self._room:
            try:
                return _shown(await fetch(place, host, offer=ESP32, seconds=self._seconds))
            except Refusal as refusal:
                shut_out = refusal
            if not shut_out.is_nothing_shared:
                return shut_out.message
            try:
                return _shown(await fetch(place, host, seconds=self._seconds), shut_out.message)
            except Refusal as refusal:
                return refusal.message


def _shown(served: Served, shut_out: str = "") -> Shown:
    return Shown(served.chain, shut_out, "" if served.completed else served.ended)


async def _look_up(name: str, family: socket.AddressFamily) -> list[str]:
    """A name's addresses. Raises OSError.

    On a thread that nobody waits for: a resolver that hangs holds up neither other names nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(result: list[str] | OSError) -> None:
        if found.done():
            return
        if isinstance(result, OSError):
            found.set_exception(result)
        else:
            found.set_result(result)

    def ask() -> None:
        result: list[str] | OSError
        try:
            entries = socket.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM)
            result = [str(entry[4][0]) for entry in entries]
        except OSError as error:
            result = error
        except UnicodeError:
            result = OSError(f"{name!r} is no host name")
        with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody asks any more
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=ask, name=f"look up {name}", daemon=True).start()
    return await found
