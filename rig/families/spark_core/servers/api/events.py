"""Events as server-sent events: what Cores publish, what becomes of them, and what is published to them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from dataclasses import dataclass

from aiohttp import web

from rig.errors import LabFault, RigError
from rig.families.spark_core.formats.messages import LONGEST_DATA, LONGEST_NAME
from rig.families.spark_core.servers.api.devices import Devices, iso_time
from rig.families.spark_core.servers.api.refusal import Refused
from rig.families.spark_core.servers.api.text import from_core, to_core
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.events import Event

#: Clients take a stream for dead that is silent for 13 s.
ALIVE, ALIVE_SECONDS = b":ok\n\n", 9.0
MOST_STREAMS = 32
#: A reader that is so many events behind, or takes none for so long, is hung up on.
MOST_QUEUED, WRITE_SECONDS = 256, 20.0
#: What the system keeps for a reader that does not read.
SEND_BUFFER = 64 << 10
LONGEST_TTL = 0xFF_FFFF
#: Who published what came by the API.
BY_API = "api"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """An event as clients see it; `core` is None for one that came by the API."""

    name: str
    data: str | None
    core: str | None
    public: bool = False
    ttl: int = 60

    def frame(self, at: float) -> bytes:
        """Its lines in a stream: nothing that is in it can begin another line."""
        fields = {"data": self.data, "ttl": str(self.ttl), "published_at": iso_time(at), "coreid": self.core or BY_API}
        return f"event: {_CONTROL.sub('?', self.name)}\ndata: {json.dumps(fields)}\n\n".encode()


def read_event(event: Event) -> CloudEvent | None:
    """What clients see of what happens in the cloud; None where that is nothing."""
    core = event["core"]
    match event["event"]:
        case "published":
            data = from_core(event["data"]) if event["data"] is not None else None
            return CloudEvent(from_core(event["name"]), data, core, event["public"], event["ttl"])
        case "online" | "offline":
            return CloudEvent("spark/status", event["event"], core)
        case "ready":
            return CloudEvent("spark/flash/status", "started", core)
        case "updated":
            return CloudEvent("spark/flash/status", "success" if event["ok"] else "failed", core)
    return None


class Streams:
    """The streams that are open, each with who wants what."""

    def __init__(self, cloud: SparkCloud, devices: Devices):
        self._cloud, self._devices = cloud, devices
        self._open: set[asyncio.Queue[bytes | None]] = set()

    async def serve(self, request: web.Request, prefix: str, core: str | None, *, firehose: bool) -> web.StreamResponse:
        """Send events until somebody hangs up: whose names begin with `prefix`, of one device or of all.

        The `firehose` has the public ones of devices that are nobody's, too. Raises Refused.
        """
        if len(self._open) >= MOST_STREAMS:
            raise Refused(429, "Too many streams", f"{MOST_STREAMS} are open already")
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            raise LabFault("the client left")
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open.add(frames)

        def take(event: Event) -> None:
            shown = read_event(event)
            if shown is None or not self._is_wanted(shown, prefix, core, firehose):
                return
            if frames.qsize() < MOST_QUEUED:
                frames.put_nowait(shown.frame(time.time()))
            else:
                transport.abort()

        unsubscribe = self._cloud.bus.subscribe(take)
        try:
            return await self._send(request, frames)
        finally:
            unsubscribe()
            self._open.discard(frames)

    def publish(self, name: str, data: str | None, *, public: bool, ttl: int) -> int:
        """Publish an event to clients and to Cores that asked for such; returns how many did. Raises Refused."""
        name, data = to_core(name), None if data is None else to_core(data)
        if not 0 < len(name) <= LONGEST_NAME or _CONTROL.search(from_core(name)):
            raise Refused(400, "Bad event name", f"an event's name has 1 to {LONGEST_NAME} bytes that can be printed")
        if len(data or "") > LONGEST_DATA:
            raise Refused(400, "Too much data", f"an event's data has {LONGEST_DATA} bytes at most")
        if not 0 <= ttl <= LONGEST_TTL:
            raise Refused(400, "Bad ttl", f"ttl is 0 to {LONGEST_TTL} seconds")
        self._cloud.bus.emit("published", None, name=name, data=data, public=public, ttl=ttl)
        wanted = 0
        for session in list(self._cloud.sessions.values()):
            try:
                wanted += session.send_event(name, data)
            except RigError:
                continue  # it is just leaving
        return wanted

    def end(self) -> None:
        """Come to the end of every stream."""
        for frames in self._open:
            frames.put_nowait(None)

    def _is_wanted(self, event: CloudEvent, prefix: str, core: str | None, firehose: bool) -> bool:
        if not event.name.startswith(prefix) or (core is not None and event.core != core):
            return False
        return event.core is None or (firehose and event.public) or self._devices.is_claimed(event.core)

    async def _send(self, request: web.Request, frames: asyncio.Queue[bytes | None]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        response.force_close()
        await response.prepare(request)
        request.protocol.close()  # what else is asked on this connection is not listened to
        frame: bytes | None = ALIVE
        while frame is not None:
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write(frame)
            try:
                frame = await asyncio.wait_for(frames.get(), ALIVE_SECONDS)
            except TimeoutError:
                frame = ALIVE
        return response
