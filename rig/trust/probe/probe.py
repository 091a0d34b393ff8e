"""Looks at a host at all its addresses: what each shows to each kind of client, and what is to be said of it.

It sends handshakes, heartbeats, and questions about revocation; it trusts nothing and changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509

from rig.errors import Misuse
from rig.formats.tls_heartbeat import Heartbeats
from rig.ports import format_address
from rig.trust.certificate_errors import UNREADABLE
from rig.trust.look.dialling import is_ip, sni_name
from rig.trust.look.offer import Offer
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import SECONDS, Served, fetch
from rig.trust.probe.chain_view import issuer_of, view_chain
from rig.trust.probe.clients import CLIENTS
from rig.trust.probe.esp32_view import refused_by_esp32
from rig.trust.probe.fetcher import Fetcher
from rig.trust.probe.findings import WARN_DAYS, findings
from rig.trust.probe.heartbleed import heartbeats, is_of_version
from rig.trust.probe.report import AddressView, ChainView, ClientView, HostReport, RevocationView
from rig.trust.probe.revocation_check import ask_sources

DEFAULT_PORT = 443
#: Handshakes at one address at once: a server has other things to do.
HANDSHAKES_AT_ONCE = 4
HOSTS_AT_ONCE = 8
#: Looks that say nothing about the server, whatever was offered.
_UNSEEN = ("no such name", "unreachable", "refused", "timeout", "not TLS", "busy")


@dataclass(frozen=True, slots=True)
class Target:
    """A host as people name it."""

    host: str
    port: int = DEFAULT_PORT

    @classmethod
    def parse(cls, text: str, port: int = DEFAULT_PORT) -> Target:
        """From HOST, HOST:PORT, an IP address, or [IPv6]:PORT. Raises Misuse."""
        if is_ip(text):
            return cls(str(ipaddress.ip_address(text)), port)
        found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:/\s\[\]]+))(?::(\d{1,5}))?", text)
        if found is None or (found[1] is not None and not is_ip(found[1])):
            raise Misuse(f"{text!r} is not HOST or HOST:PORT", hint="such as ota.example.com:8443 or [::1]:443")
        number = int(found[3] or port)
        if not 0 < number < 65536:
            raise Misuse(f"{text}: {number} is no port", hint="1 to 65535")
        host = found[1] or found[2]
        sni_name(host)
        return cls(str(ipaddress.ip_address(host)) if is_ip(host) else host, number)


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How to look. `addresses` (IP address, port or None for the target's) stand in for those of the name;
    `asks_revocation` fetches CRLs and OCSP responses (otherwise only staples count); `before` are earlier reports, None
    where nobody named any.
    """

    roots: Sequence[x509.Certificate] = ()
    addresses: Sequence[tuple[str, int | None]] = ()
    family: socket.AddressFamily = socket.AF_UNSPEC
    asks_revocation: bool = True
    asks_heartbeats: bool = True
    before: Sequence[HostReport] | None = None
    warn_days: float = WARN_DAYS
    seconds: float = SECONDS
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


async def probe(targets: Sequence[Target], plan: ProbePlan) -> list[HostReport]:
    """Look at hosts, and judge: a report each. What cannot be seen is said in it; raises Misuse only."""
    room = asyncio.Semaphore(HOSTS_AT_ONCE)

    async def one(target: Target) -> HostReport:
        async with room:
            return await _probe_host(target, plan, fetcher if plan.asks_revocation else None)

    async with Fetcher() as fetcher:
        return await asyncio.gather(*map(one, targets))


async def _probe_host(target: Target, plan: ProbePlan, fetcher: Fetcher | None) -> HostReport:
    try:
        places = await _addresses(target, plan)
    except OSError:
        unknown = AddressView(address=target.host, port=target.port, error=f"nobody knows where {target.host} is")
        views = [unknown]
    else:
        views = await asyncio.gather(*(_AddressProbe(place, target, plan, fetcher).view() for place in places))
    report = HostReport(host=target.host, port=target.port, at=plan.at, addresses=tuple(views))
    return report.model_copy(update={"findings": tuple(findings(report, plan.before, warn_days=plan.warn_days))})


async def _addresses(target: Target, plan: ProbePlan) -> list[tuple[str, int]]:
    """Every address of the name, once. Raises OSError."""
    if plan.addresses:
        return [(host, port or target.port) for host, port in plan.addresses]
    name = sni_name(target.host) or target.host
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(plan.seconds):
            found = await loop.getaddrinfo(name, target.port, family=plan.family, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(name) from None
    return list(dict.fromkeys((str(entry[4][0]), target.port) for entry in found))


class _AddressProbe:
    """One address: a look for each kind of client, then heartbeats, then who takes its certificates back."""

    def __init__(self, place: tuple[str, int], target: Target, plan: ProbePlan, fetcher: Fetcher | None):
        self._place, self._target, self._plan, self._fetcher = place, target, plan, fetcher
        self._room = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def view(self) -> AddressView:
        """All there is to see; what is in the way is the view's `error`."""
        host, port = self._place
        try:
            first = await self._look(Offer())
        except Refusal as refusal:
            # Who takes nothing that OpenSSL still knows may leak all the same.
            leaks = await self._leaks() if refusal.is_answered else None
            return AddressView(address=host, port=port, error=str(refusal), heartbeats=leaks)
        looks = dict(zip(CLIENTS, await asyncio.gather(*map(self._try, CLIENTS.values())), strict=True))
        clients = {name: _client(look) for name, look in looks.items()}
        try:
            clients["esp32"] = self._esp32(clients["esp32"], looks["esp32"])
            chains, revocation = await self._identities(first, looks)
        except UNREADABLE as error:
            text = f"{format_address(*self._place)} serves a certificate that cannot be read: {error}"
            return AddressView(address=host, port=port, error=text)
        verdict, refused = await self._heartbeats(clients) if self._plan.asks_heartbeats else (None, None)
        return AddressView(
            address=host,
            port=port,
            completed=first.completed,
            chains=chains,
            clients=clients,
            revocation=revocation,
            heartbeats=verdict,
            heartbeats_refused=refused,
        )

    def _esp32(self, client: ClientView, look: Served | Refusal) -> ClientView:
        """The row of an ESP32, that looks at certificates too. Raises one of UNREADABLE."""
        if isinstance(look, Refusal):
            return client
        refused = refused_by_esp32(look, self._target.host, self._plan.roots, self._plan.at)
        return client.model_copy(update={"accepted": False, "refused": refused}) if refused else client

    async def _identities(
        self, first: Served, looks: Mapping[str, Served | Refusal]
    ) -> tuple[tuple[ChainView, ...], tuple[RevocationView, ...]]:
        """Each chain that any client is shown, and who takes its leaf back. Raises one of UNREADABLE."""
        seen = {name: look for name, look in looks.items() if isinstance(look, Served)}
        name, plan = sni_name(self._target.host) or self._target.host, self._plan
        chains, revocation = [], []
        for chain in dict.fromkeys((first.chain, *(look.chain for look in seen.values()))):
            clients = [client for client, look in seen.items() if look.chain == chain]
            chains.append(view_chain(chain, name, clients, plan.roots, plan.at))
            staples = (look.staple for look in (first, *seen.values()) if look.chain == chain)
            staple = next((one for one in staples if one is not None), None)
            issuer = issuer_of(chain[0], (*chain, *plan.roots))
            revocation += await ask_sources(chain[0], issuer, staple, self._fetcher, plan.at)
        return tuple(chains), tuple(revocation)

    async def _look(self, offer: Offer) -> Served:
        async with self._room:
            return await fetch(self._place, self._target.host, offer=offer, seconds=self._plan.seconds)

    async def _try(self, offer: Offer) -> Served | Refusal:
        try:
            return await self._look(offer)
        except Refusal as refusal:
            return refusal

    async def _heartbeats(self, clients: Mapping[str, ClientView]) -> tuple[Heartbeats | None, str | None]:
        """The verdict, or why there is none. Who takes no version but TLS 1.3 has none to leak by."""
        try:
            return await heartbeats(self._place, self._target.host, seconds=self._plan.seconds), None
        except Refusal as refusal:
            if is_of_version(refusal) and clients["TLSv1.3"].accepted:
                return Heartbeats.NONE, None
            return None, str(refusal)

    async def _leaks(self) -> Heartbeats | None:
        """That it leaks; nothing where that was not seen."""
        if not self._plan.asks_heartbeats:
            return None
        try:
            verdict = await heartbeats(self._place, self._target.host, seconds=self._plan.seconds)
        except Refusal:
            return None
        return verdict if verdict is Heartbeats.VULNERABLE else None


def _client(look: Served | Refusal) -> ClientView:
    """Let in is who comes through the whole handshake."""
    if isinstance(look, Refusal):
        return ClientView(accepted=None if look.kind in _UNSEEN else False, refused=str(look))
    accepted = look.completed if look.trouble not in _UNSEEN else None
    leaf = look.fingerprints[0]
    return ClientView(
        accepted=accepted, version=look.version, cipher=look.cipher, leaf=leaf, refused=look.ended or None
    )
