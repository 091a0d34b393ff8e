"""What planned endpoints serve now: every address looked at as an ESP32 looks, all together."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from datetime import datetime

from rig.ports import format_address
from rig.trust.look.dialling import is_ip
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import SECONDS, Served, fetch
from rig.trust.probe.clients import ESP32
from rig.trust.timeline.plan import PlannedEndpoint
from rig.trust.timeline.schedule import Seen

#: What was seen at each address of an endpoint, or why it was not.
Looked = tuple[Seen | Refusal, ...]
#: More addresses of one name are not looked at.
MOST_ADDRESSES = 32


def look(endpoints: Sequence[PlannedEndpoint], at: datetime) -> dict[str, Looked]:
    """What each shows at its addresses, by its name in the plan; it counts as seen at `at`."""

    async def everyone() -> list[Looked]:
        return await asyncio.gather(*(_look(endpoint, at) for endpoint in endpoints))

    return dict(zip([endpoint.name for endpoint in endpoints], asyncio.run(everyone()), strict=True))


async def _look(endpoint: PlannedEndpoint, at: datetime) -> Looked:
    try:
        places = await _places(endpoint.dialled)
    except Refusal as refusal:
        return (refusal,)
    return tuple(await asyncio.gather(*(_look_at(place, endpoint.host, at) for place in places[:MOST_ADDRESSES])))


async def _places(dialled: tuple[str, int]) -> list[tuple[str, int]]:
    """Every address of a name, once, in an order that is always the same. Raises Refusal."""
    host, port = dialled
    if is_ip(host):
        return [dialled]
    try:
        async with asyncio.timeout(SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a timeout is one too
        raise Refusal("no such name", f"nobody knows where {host} is") from None
    return [(address, port) for address in sorted({str(entry[4][0]) for entry in found})]


async def _look_at(place: tuple[str, int], host: str, at: datetime) -> Seen | Refusal:
    """What an ESP32 is shown there; a server that shares nothing with one shows what others see, and shuts it out."""
    try:
        return _seen(await fetch(place, host, offer=ESP32), place, at)
    except Refusal as refusal:
        if not refusal.is_nothing_shared:
            return refusal
        shut_out = refusal.message
    try:
        return _seen(await fetch(place, host), place, at, shut_out)
    except Refusal as refusal:
        return refusal


def _seen(served: Served, place: tuple[str, int], at: datetime, shut_out: str = "") -> Seen:
    if not served.completed:
        raise Refusal(served.trouble or "broken", f"{format_address(*place)} shows certificates, but {served.ended}")
    return Seen(at, served.chain, format_address(*place), shut_out)
