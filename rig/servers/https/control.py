"""What can be asked of an update server at its control port."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from rig.errors import Misuse
from rig.files import MOST_PEM
from rig.limits import CLOUD_CONTROL, refuse_more
from rig.lines import ByteBudget
from rig.servers.allowed_files import AllowedFiles
from rig.servers.control_port import ControlPort, JsonObject, Request
from rig.servers.https import requests
from rig.servers.https.check_in import device_id
from rig.servers.https.event_queue import EventQueue
from rig.servers.https.faults import Fault
from rig.servers.https.identities import HostIdentities
from rig.servers.https.policy import Release
from rig.servers.https.published_files import MOST_BYTES, Published
from rig.servers.https.server import UpdateServer
from rig.servers.time_server import TimeServer
from rig.trust.identity import Identity
from rig.trust.recipe import read_recipe
from rig.trust.tls.endpoint import EndpointHost

MOST_QUEUED = 10_000


class UpdateServerControl(ControlPort):
    """Drives `server` for who may ask; `made` makes identities of the server's own, `clock` tells the time.

    Requests may name the files `given`.
    """

    def __init__(
        self,
        server: UpdateServer,
        made: HostIdentities | None = None,
        clock: TimeServer | None = None,
        given: AllowedFiles | None = None,
    ):
        self._served, self._made, self._clock, self._given = server, made, clock, given or AllowedFiles()
        #: Events that wait for those who subscribed.
        self._waiting = ByteBudget(CLOUD_CONTROL.in_all)
        #: Names of identities that one client alone was to meet: they end with that.
        self._issued_for: dict[str, list[str]] = {}
        self._issuing = asyncio.Lock()
        super().__init__(
            {
                "list": (Request, self._list),
                "swap": (requests.Swap, self._swap),
                "forget": (requests.Forget, self._forget),
                "clock": (requests.Clock, self._set_clock),
                "add-identity": (requests.AddIdentity, self._add_identity),
                "issue": (requests.Issue, self._issue),
                "tls": (requests.Tls, self._tls),
                "publish": (requests.Publish, self._publish),
                "withdraw": (requests.Withdraw, self._withdraw),
                "release": (requests.Release, self._release),
                "withdraw-release": (requests.WithdrawRelease, self._withdraw_release),
                "group": (requests.Group, self._group),
                "policy": (Request, self._policy),
                "fault": (requests.Fault, self._fault),
                "faults": (Request, self._faults),
                "clear-faults": (requests.OfDevice, self._clear_faults),
                "log": (requests.Log, self._log),
                "events": (requests.Events, self._events),
            }
        )

    async def _list(self, _request: Request) -> AsyncIterator[JsonObject]:
        hosts = [_host(host) for host in self._served.endpoint.hosts.values()]
        identities = {name: _identity(identity) for name, identity in self._served.identities.items()}
        files = [file.to_dict() for file in self._served.files.files.values()]
        yield {"done": True, "hosts": hosts, "identities": identities, "files": files}

    # -- identities ----------------------------------------------------------------------------------------------------

    async def _swap(self, request: requests.Swap) -> AsyncIterator[JsonObject]:
        if (request.identity is None) != request.brings_one:
            raise Misuse("a swap needs either an identity's name, or a chain and a key")
        if request.identity is not None:
            identity = self._served.identity(request.identity)
        else:
            identity = await asyncio.to_thread(self._brought, request)
        self._served.swap(request.host, identity, request.client)
        yield {"done": True, "identity": _identity(identity)}

    async def _forget(self, request: requests.Forget) -> AsyncIterator[JsonObject]:
        self._served.endpoint.forget(request.client)
        for name in self._issued_for.pop(request.client, []):
            self._served.identities.pop(name, None)
            if self._made is not None:
                self._made.drop(name)
        yield {"done": True}

    async def _set_clock(self, request: requests.Clock) -> AsyncIterator[JsonObject]:
        if self._clock is None:
            raise Misuse("this server does not tell the time", hint="rig cloud https --time HOST:PORT")
        self._clock.set(request.client, request.now)
        yield {"done": True}

    async def _add_identity(self, request: requests.AddIdentity) -> AsyncIterator[JsonObject]:
        async with self._issuing:
            self._served.check_new(request.name)
            identity = await asyncio.to_thread(self._brought, request)
            self._served.identities[request.name.lower()] = identity
        yield {"done": True, "identity": _identity(identity)}

    async def _issue(self, request: requests.Issue) -> AsyncIterator[JsonObject]:
        if self._made is None:
            raise Misuse("this server has no authority of its own", hint="add-identity takes one from files")
        recipe = read_recipe(request.recipe)
        async with self._issuing:
            self._served.check_new(request.name)
            former = self._served.endpoint.met_by(request.client, request.host).identity
            # an RSA key may take seconds, and a board gives a server five
            identity = await asyncio.to_thread(self._made.issue, request.host, request.name, recipe, former)
            self._served.identities[request.name.lower()] = identity
        if request.client is not None:
            self._issued_for.setdefault(request.client, []).append(request.name.lower())
        yield {"done": True, "identity": _identity(identity)}

    async def _tls(self, request: requests.Tls) -> AsyncIterator[JsonObject]:
        changes = request.model_dump(exclude={"do", "host", "client"}, exclude_unset=True)
        for name in ("minimum", "maximum", "delay"):
            if name in changes and changes[name] is None:
                del changes[name]
        settings = self._served.set_tls(request.host, changes, request.client)
        yield {"done": True, "minimum": settings.minimum, "maximum": settings.maximum, "delay": settings.delay}

    # -- what is served ------------------------------------------------------------------------------------------------

    async def _publish(self, request: requests.Publish) -> AsyncIterator[JsonObject]:
        path = request.path or (f"/{quote(Path(request.file).name)}" if request.file is not None else None)
        if path is None:
            raise Misuse("path: content needs one")
        yield {"done": True, "file": self._served.files.publish(path, await self._content(request)).to_dict()}

    async def _withdraw(self, request: requests.Withdraw) -> AsyncIterator[JsonObject]:
        if unquote(request.path) in {unquote(path) for path in self._served.policy.images()}:
            raise Misuse(f"{request.path} is a release's image", hint="withdraw-release takes it back")
        self._served.files.withdraw(request.path)
        yield {"done": True}

    async def _release(self, request: requests.Release) -> AsyncIterator[JsonObject]:
        devices = frozenset(device_id(device) for device in request.devices)
        where = f"/releases/{quote(request.product)}/{quote(request.version)}"
        image = Published(where, await self._content(request))
        release = Release(request.version, image, request.percentage, frozenset(request.groups), devices)
        self._served.policy.refuse_more()
        self._served.files.publish(where, image.data)  # no board is offered what nobody can fetch
        self._served.policy.release(request.product, release)
        unknown = sorted(set(request.groups) - set(self._served.policy.groups))
        yield {"done": True, "release": release.to_dict(), "unknown_groups": unknown}

    async def _withdraw_release(self, request: requests.WithdrawRelease) -> AsyncIterator[JsonObject]:
        if request.product is None and request.device is None:
            raise Misuse("whose releases: of a product, or to a device?")
        device = device_id(request.device) if request.device is not None else None
        gone = self._served.policy.withdraw(request.product, request.version, device)
        still = self._served.policy.images()
        for release in gone:
            if release.image.path not in still:
                self._served.files.drop(release.image.path)
        yield {"done": True, "releases": [release.to_dict() for release in gone]}

    async def _content(self, request: requests.WithFile) -> bytes:
        """What is to be served."""
        if (request.file is None) == (request.content is None):
            raise Misuse("expected either a file or its content, as base64")
        if request.content is not None:
            try:
                return base64.b64decode(request.content, validate=True)
            except ValueError:
                raise Misuse("content: not base64") from None
        file = request.file or ""
        if self._made is not None and self._made.holds(file):
            raise Misuse(f"{file} is in the folder with the server's own keys: nothing there is for everybody")
        return await asyncio.to_thread(self._given.read, file, MOST_BYTES)

    def _brought(self, request: requests.WithIdentity) -> Identity:
        """The identity that comes with a request. Raises Misuse."""
        parts = ((request.chain, request.chain_pem), (request.key, request.key_pem))
        if any((file is None) == (content is None) for file, content in parts):
            raise Misuse("an identity needs either chain or chain_pem, and either key or key_pem")
        chain, key = (
            content.encode() if content is not None else self._given.read(file or "", MOST_PEM)
            for file, content in parts
        )
        return Identity.parse(chain, key)

    async def _group(self, request: requests.Group) -> AsyncIterator[JsonObject]:
        if request.name not in self._served.policy.groups:
            refuse_more(self._served.policy.groups, "groups")
        self._served.policy.groups[request.name] = {device_id(device) for device in request.devices}
        yield {"done": True}

    async def _policy(self, _request: Request) -> AsyncIterator[JsonObject]:
        yield {"done": True, **self._served.policy.to_dict()}

    # -- faults and what happened --------------------------------------------------------------------------------------

    async def _fault(self, request: requests.Fault) -> AsyncIterator[JsonObject]:
        if request.host is not None:
            self._served.endpoint.host(request.host)
        self._served.faults.add(Fault(**request.model_dump(exclude={"do"})))
        yield {"done": True, "faults": self._served.faults.pending()}

    async def _faults(self, _request: Request) -> AsyncIterator[JsonObject]:
        yield {"done": True, "faults": self._served.faults.pending()}

    async def _clear_faults(self, request: requests.OfDevice) -> AsyncIterator[JsonObject]:
        self._served.faults.clear(request.device)
        yield {"done": True}

    async def _log(self, request: requests.Log) -> AsyncIterator[JsonObject]:
        journal = self._served.journal
        logs: dict[str, Iterable[JsonObject]] = {
            "handshakes": (handshake.to_dict() for handshake in reversed(self._served.endpoint.handshakes)),
            "requests": reversed(journal.requests),
            "check-ins": reversed(journal.check_ins),
        }
        device = request.device and device_id(request.device)
        if device and request.of == "handshakes":
            raise Misuse("device: nobody says in a handshake which device it is")
        number = "handshake" if request.of == "handshakes" else "request"
        found = journal.last(logs[request.of], number, after=request.after, device=device, most=request.last)
        yield {"done": True, "log": found}

    async def _events(self, request: requests.Events) -> AsyncIterator[JsonObject]:
        """Events of a host and a device, and those that are nobody's. Raises LabFault for a reader far too slow."""
        queue = EventQueue(MOST_QUEUED, self._waiting)
        host = request.host and request.host.lower()
        device = request.device and device_id(request.device)

        def take(event: JsonObject) -> None:
            if (host and event["host"] not in (host, None)) or (device and event["device"] not in (device, None)):
                return
            queue.put(event)

        unsubscribe = self._served.journal.subscribe(take)
        yield {"subscribed": True, "at_ns": time.monotonic_ns()}
        try:
            async for event in queue:
                yield event
        finally:
            unsubscribe()
            queue.close()


def _host(host: EndpointHost) -> dict[str, Any]:
    settings = host.settings
    settings_now = {"minimum": settings.minimum, "maximum": settings.maximum, "ciphers": settings.ciphers}
    return {"host": host.name, "identity": _identity(host.identity), **settings_now, "delay": settings.delay}


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
