"""What can be asked of an update server at its control port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rig.errors import LabFault, Misuse
from rig.servers.control_port import ControlPort, Request, Told
from rig.servers.https.check_in import device_id
from rig.servers.https.faults import Fault
from rig.servers.https.identities import HostIdentities, Issuer
from rig.servers.https.policy import Release
from rig.servers.https.server import UpdateServer
from rig.servers.https.shelf import read_image
from rig.trust.authority import Identity
from rig.trust.endpoint import EndpointHost

MOST_QUEUED = 10_000


class _Events(Request):
    host: str | None = None
    device: str | None = None


class _Swap(Request):
    """To an identity by its name, or from PEM files."""

    host: str
    identity: str | None = None
    chain: str | None = None
    key: str | None = None


class _AddIdentity(Request):
    name: str
    chain: str
    key: str


class _Issue(Request):
    """A new identity for a host, under who issued its first one, another intermediate, or another root."""

    host: str
    name: str
    under: Issuer = "same"
    valid_days: float = Field(default=90, gt=0, le=36500)


class _Tls(Request):
    host: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    ciphers: str | None = None
    delay: float | None = Field(default=None, strict=False)


class _Publish(Request):
    file: str
    path: str | None = None


class _Withdraw(Request):
    path: str


class _Release(Request):
    product: str
    version: str
    file: str
    percentage: float = Field(default=100, strict=False)
    groups: list[str] = Field(default_factory=list)
    devices: list[str] = Field(default_factory=list)


class _Group(Request):
    name: str
    devices: list[str]


class _Fault(Request):
    kind: str
    at: int | None = None
    device: str | None = None
    host: str | None = None
    times: int = 1
    lasts: float = Field(default=0, strict=False)
    to: str | None = None


class _OfDevice(Request):
    device: str | None = None


class _Log(Request):
    of: Literal["handshakes", "requests", "check-ins"]
    last: int = Field(default=1000, ge=1)


class UpdateServerControl(ControlPort):
    """Drives `server` for whoever connects; `made` makes identities of the server's own."""

    def __init__(self, server: UpdateServer, made: HostIdentities | None = None):
        self._served, self._made = server, made
        super().__init__(
            {
                "list": (Request, self._list),
                "swap": (_Swap, self._swap),
                "add-identity": (_AddIdentity, self._add_identity),
                "issue": (_Issue, self._issue),
                "tls": (_Tls, self._tls),
                "publish": (_Publish, self._publish),
                "withdraw": (_Withdraw, self._withdraw),
                "release": (_Release, self._release),
                "group": (_Group, self._group),
                "policy": (Request, self._policy),
                "fault": (_Fault, self._fault),
                "faults": (Request, self._faults),
                "clear-faults": (_OfDevice, self._clear_faults),
                "log": (_Log, self._log),
                "events": (_Events, self._events),
            }
        )

    async def _list(self, _request: Request) -> AsyncIterator[Told]:
        hosts = [_host(host) for host in self._served.endpoint.hosts.values()]
        identities = {name: _identity(identity) for name, identity in self._served.identities.items()}
        files = [file.told() for file in self._served.shelf.files.values()]
        yield {"done": True, "hosts": hosts, "identities": identities, "files": files}

    # -- identities ----------------------------------------------------------------------------------------------------

    async def _swap(self, request: _Swap) -> AsyncIterator[Told]:
        if request.identity is not None and request.chain is None and request.key is None:
            identity = self._served.identity(request.identity)
        elif request.identity is None and request.chain is not None and request.key is not None:
            identity = Identity.load(Path(request.chain), Path(request.key))
        else:
            raise Misuse("a swap needs either an identity's name, or files: chain and key")
        self._served.swap(request.host, identity)
        yield {"done": True, "identity": _identity(identity)}

    async def _add_identity(self, request: _AddIdentity) -> AsyncIterator[Told]:
        identity = Identity.load(Path(request.chain), Path(request.key))
        self._served.identities[request.name] = identity
        yield {"done": True, "identity": _identity(identity)}

    async def _issue(self, request: _Issue) -> AsyncIterator[Told]:
        if self._made is None:
            raise Misuse("this server has no authority of its own", hint="add-identity takes one from files")
        self._served.endpoint.host(request.host)
        identity, root = self._made.issue(request.host, request.name, request.under, request.valid_days)
        self._served.identities[request.name] = identity
        yield {"done": True, "identity": _identity(identity), "ca": str(root)}

    async def _tls(self, request: _Tls) -> AsyncIterator[Told]:
        changes = request.model_dump(exclude={"do", "host"}, exclude_unset=True)
        for name in ("minimum", "maximum", "delay"):
            if name in changes and changes[name] is None:
                del changes[name]
        settings = self._served.set_tls(request.host, changes)
        yield {"done": True, "minimum": settings.minimum, "maximum": settings.maximum, "delay": settings.delay}

    # -- what is served ------------------------------------------------------------------------------------------------

    async def _publish(self, request: _Publish) -> AsyncIterator[Told]:
        file = Path(request.file)
        yield {
            "done": True,
            "file": self._served.shelf.publish(request.path or f"/{file.name}", read_image(file)).told(),
        }

    async def _withdraw(self, request: _Withdraw) -> AsyncIterator[Told]:
        self._served.shelf.withdraw(request.path)
        yield {"done": True}

    async def _release(self, request: _Release) -> AsyncIterator[Told]:
        image = self._served.shelf.publish(
            f"/releases/{request.product}/{request.version}", read_image(Path(request.file))
        )
        devices = frozenset(device_id(device) for device in request.devices)
        release = Release(request.version, image, request.percentage, frozenset(request.groups), devices)
        self._served.policy.release(request.product, release)
        yield {"done": True, "release": release.told()}

    async def _group(self, request: _Group) -> AsyncIterator[Told]:
        self._served.policy.groups[request.name] = {device_id(device) for device in request.devices}
        yield {"done": True}

    async def _policy(self, _request: Request) -> AsyncIterator[Told]:
        yield {"done": True, **self._served.policy.told()}

    # -- faults and what happened --------------------------------------------------------------------------------------

    async def _fault(self, request: _Fault) -> AsyncIterator[Told]:
        self._served.faults.add(Fault(**request.model_dump(exclude={"do"})))
        yield {"done": True, "faults": self._served.faults.told()}

    async def _faults(self, _request: Request) -> AsyncIterator[Told]:
        yield {"done": True, "faults": self._served.faults.told()}

    async def _clear_faults(self, request: _OfDevice) -> AsyncIterator[Told]:
        self._served.faults.clear(request.device)
        yield {"done": True}

    async def _log(self, request: _Log) -> AsyncIterator[Told]:
        journal = self._served.journal
        logs: dict[str, Iterable[Told]] = {
            "handshakes": (handshake.told() for handshake in reversed(self._served.endpoint.handshakes)),
            "requests": reversed(journal.requests),
            "check-ins": reversed(journal.check_ins),
        }
        last = list(islice(logs[request.of], request.last))
        yield {"done": True, "log": [{**entry} for entry in reversed(last)]}

    async def _events(self, request: _Events) -> AsyncIterator[Told]:
        """Events of a host and a device, and those that are nobody's. Raises LabFault for a reader far too slow."""
        queue: asyncio.Queue[Told | None] = asyncio.Queue()
        host = request.host and request.host.lower()
        device = request.device and device_id(request.device)

        def take(event: Told) -> None:
            if (host and event["host"] not in (host, None)) or (device and event["device"] not in (device, None)):
                return
            if queue.qsize() < MOST_QUEUED:
                queue.put_nowait(event)
            elif queue.qsize() == MOST_QUEUED:
                queue.put_nowait(None)

        unsubscribe = self._served.journal.subscribe(take)
        yield {"subscribed": True}
        try:
            while (event := await queue.get()) is not None:
                yield event
            raise LabFault(f"events were lost: more than {MOST_QUEUED} were not read")
        finally:
            unsubscribe()


def _host(host: EndpointHost) -> dict[str, Any]:
    settings = host.settings
    told = {"minimum": settings.minimum, "maximum": settings.maximum, "ciphers": settings.ciphers}
    return {"host": host.name, "identity": _identity(host.identity), **told, "delay": settings.delay}


def _identity(identity: Identity) -> dict[str, Any]:
    leaf = identity.leaf
    return {
        "sha256": identity.fingerprint,
        "subject": leaf.subject.rfc4514_string(),
        "issuer": leaf.issuer.rfc4514_string(),
        "not_before": leaf.not_valid_before_utc.isoformat(),
        "not_after": leaf.not_valid_after_utc.isoformat(),
        "certificates": len(identity.chain),
    }
