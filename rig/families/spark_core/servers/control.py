"""What can be asked of a Spark cloud at its control port."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable

from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import Field

from rig.errors import Misuse
from rig.families.spark_core.servers.batches import Batches
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.core_keys import checked_core_id
from rig.families.spark_core.servers.disturbances import Disturbance
from rig.families.spark_core.servers.faults import Fault
from rig.families.spark_core.trust.server_key import make_server_key, parse_server_key, public_der
from rig.files import MOST_PEM
from rig.servers.allowed_files import AllowedFiles
from rig.servers.control_port import ControlPort, JsonObject, Request


class _OfCore(Request):
    core: str


class _Events(Request):
    """Of one Core, or of all."""

    core: str | None = None


class _Named(_OfCore):
    name: str


class _Call(_Named):
    argument: str = ""


class _Signal(_OfCore):
    on: bool


class _SendEvent(_Named):
    data: str | None = None


class _Flash(_OfCore):
    image: str
    chunk_size: int = 256
    fast: bool = False
    force: bool = False


class _Fault(Request):
    kind: str
    core: str | None = None
    chunk: int = Field(default=0, ge=0)
    seconds: float = 4.0
    times: int = 1


class _Disturbance(Request):
    kind: str
    message: str
    number: int = Field(default=0, ge=0)
    seconds: float = 4.0
    core: str | None = None


class _Key(Request):
    """Another key: from a file that the server may read, from PEM, or one that is made now."""

    file: str | None = None
    pem: str | None = None
    core: str | None = None


class _AddCore(_OfCore):
    pem: str


class CloudControl(ControlPort):
    """Drives `cloud` for who may ask; requests may name the files `given`."""

    def __init__(self, cloud: SparkCloud, given: AllowedFiles | None = None):
        self._cloud, self._given = cloud, given or AllowedFiles()
        super().__init__(
            {
                "list": (Request, self._list),
                "describe": (_OfCore, self._describe),
                "variable": (_Named, self._variable),
                "call": (_Call, self._call),
                "signal": (_Signal, self._signal),
                "ping": (_OfCore, self._ping),
                "send-event": (_SendEvent, self._send_event),
                "flash": (_Flash, self._flash),
                "events": (_Events, self._events),
                "fault": (_Fault, self._fault),
                "disturb": (_Disturbance, self._disturb),
                "faults": (Request, self._faults),
                "clear-faults": (_Events, self._clear_faults),
                "swap-key": (_Key, self._swap_key),
                "restore-key": (_OfCore, self._restore_key),
                "add-core": (_AddCore, self._add_core),
                "disconnect": (_OfCore, self._disconnect),
            },
            goes_on=("flash", "events"),
        )

    # -- what can be asked ---------------------------------------------------------------------------------------------

    async def _list(self, _request: Request) -> AsyncIterator[JsonObject]:
        yield {"done": True, "cores": [session.to_dict() for session in self._cloud.sessions.values()]}

    async def _describe(self, request: _OfCore) -> AsyncIterator[JsonObject]:
        yield {"done": True, **await self._cloud.session(request.core).describe()}

    async def _variable(self, request: _Named) -> AsyncIterator[JsonObject]:
        yield {"done": True, "value": await self._cloud.session(request.core).variable(request.name)}

    async def _call(self, request: _Call) -> AsyncIterator[JsonObject]:
        yield {"done": True, "returned": await self._cloud.session(request.core).call(request.name, request.argument)}

    async def _signal(self, request: _Signal) -> AsyncIterator[JsonObject]:
        await self._cloud.session(request.core).signal(request.on)
        yield {"done": True}

    async def _ping(self, request: _OfCore) -> AsyncIterator[JsonObject]:
        yield {"done": True, "seconds": round(await self._cloud.session(request.core).ping(), 6)}

    async def _send_event(self, request: _SendEvent) -> AsyncIterator[JsonObject]:
        yield {"done": True, "wanted": self._cloud.session(request.core).send_event(request.name, request.data)}

    async def _flash(self, request: _Flash) -> AsyncIterator[JsonObject | list[JsonObject]]:
        """Events of this Core while it is updated, then what came of it."""
        try:
            image = base64.b64decode(request.image, validate=True)
        except ValueError:
            raise Misuse("image: not base64") from None
        batches, unsubscribe = self._subscribed(request.core.lower(), ends=False)
        flashing = asyncio.ensure_future(
            self._cloud.flash(
                request.core, image, chunk_size=request.chunk_size, fast=request.fast, force=request.force
            )
        )
        flashing.add_done_callback(lambda _done: batches.end())
        try:
            async for events in batches:
                yield events
            yield {"done": True, **await flashing}
        finally:
            unsubscribe()
            flashing.cancel()

    async def _events(self, request: _Events) -> AsyncIterator[JsonObject | list[JsonObject]]:
        batches, unsubscribe = self._subscribed(request.core and request.core.lower(), ends=True)
        yield {"subscribed": True}
        try:
            async for events in batches:
                yield events
        finally:
            unsubscribe()

    async def _fault(self, request: _Fault) -> AsyncIterator[JsonObject]:
        core = checked_core_id(request.core) if request.core else None
        self._cloud.faults.add(Fault(request.kind, core, request.chunk, request.seconds, request.times))
        yield {"done": True, "faults": self._cloud.faults.pending()}

    async def _disturb(self, request: _Disturbance) -> AsyncIterator[JsonObject]:
        """The network misbehaves from a Core's next connection on."""
        core = checked_core_id(request.core) if request.core else None
        self._cloud.disturbances.add(Disturbance(request.kind, request.message, request.number, request.seconds, core))
        yield {"done": True, "disturbances": self._cloud.disturbances.pending()}

    async def _faults(self, _request: Request) -> AsyncIterator[JsonObject]:
        yield {"done": True, "faults": self._cloud.faults.pending()}

    async def _clear_faults(self, request: _Events) -> AsyncIterator[JsonObject]:
        core = checked_core_id(request.core) if request.core else None
        self._cloud.faults.clear(core)
        self._cloud.disturbances.clear(core)
        yield {"done": True}

    async def _swap_key(self, request: _Key) -> AsyncIterator[JsonObject]:
        key = await asyncio.to_thread(self._key, request)
        self._cloud.swap_key(key, request.core)
        yield {"done": True, "public_key": public_der(key).hex()}

    def _key(self, request: _Key) -> rsa.RSAPrivateKey:
        """Raises Misuse."""
        if request.file is not None and request.pem is not None:
            raise Misuse("expected either a file or a key as PEM")
        if request.file is not None:
            return parse_server_key(self._given.read(request.file, MOST_PEM), request.file)
        return parse_server_key(request.pem.encode(), "pem") if request.pem is not None else make_server_key()

    async def _restore_key(self, request: _OfCore) -> AsyncIterator[JsonObject]:
        self._cloud.restore_key(request.core)
        yield {"done": True}

    async def _add_core(self, request: _AddCore) -> AsyncIterator[JsonObject]:
        self._cloud.core_keys.add(request.core, request.pem.encode())
        yield {"done": True}

    async def _disconnect(self, request: _OfCore) -> AsyncIterator[JsonObject]:
        self._cloud.session(request.core).connection.close("told to hang up")
        yield {"done": True}

    def _subscribed(self, core: str | None, *, ends: bool) -> tuple[Batches, Callable[[], None]]:
        """Events of one Core, or of all, as they come; and how to end that."""
        batches = Batches(ends=ends)

        def take(event: JsonObject) -> None:
            if core is None or event["core"] in (core, None):
                batches.put(event)

        return batches, self._cloud.bus.subscribe(take)
