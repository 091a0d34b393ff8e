"""The HTTP server of the API: who may connect for how long, and how errors are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from aiohttp import web

from rig.control.web_pages import WebPages
from rig.errors import RigError
from rig.families.spark_core.servers.api.connection import ApiConnection
from rig.families.spark_core.servers.api.devices import Devices
from rig.families.spark_core.servers.api.events import Streams
from rig.families.spark_core.servers.api.fields import LONGEST_BODY
from rig.families.spark_core.servers.api.guard import Guard
from rig.families.spark_core.servers.api.refusal import Refused, answer_to, refused_for
from rig.families.spark_core.servers.api.routes import Routes
from rig.families.spark_core.servers.api.token import AccessToken
from rig.families.spark_core.servers.api.updates import Updates
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.cloud_limits import API
from rig.http_settings import BUSY, http_settings, silenced
from rig.limits import Limits, effective_limits
from rig.listener import Listener

log = logging.getLogger(__name__)

#: How often it is looked who connected and does not ask.
LOOK_EVERY_SECONDS = 5.0
SilentSince = dict[ApiConnection, float]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestApi:
    """`/v1` of a cloud, for who knows the token; `names` are what clients may call this machine."""

    def __init__(self, cloud: SparkCloud, token: AccessToken, names: Sequence[str] = (), limits: Limits = API):
        self.token, self._names, self._limits = token, names, effective_limits(limits)
        self.devices = Devices(cloud)
        self.streams = Streams(cloud, self.devices)
        self.updates = Updates(cloud)
        self._guard = Guard(token)
        self._listener: Listener | None = None
        self._sweeper: asyncio.Task[None] | None = None
        app = web.Application(middlewares=[self._answer], client_max_size=LONGEST_BODY)
        Routes(self._guard, self.devices, self.streams, self.updates).add_to(app.router)
        self._how: dict[str, Any] = {"logger": silenced(__name__), **http_settings(self._limits)}
        self._runner = web.AppRunner(app, handler_cancellation=True)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._guard.pages = WebPages(host, self._names)
        await self._runner.setup()
        self._listener = Listener(self._connection, self._limits, refusal=BUSY)
        port = await self._listener.start(host, port)
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        return port

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._listener is not None:
            self._listener.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.streams.end()
        await self.updates.close()
        self.devices.stop()
        if self._runner.server is not None:
            await self._runner.server.shutdown(1.0)
        await self._runner.cleanup()

    # -- connections ---------------------------------------------------------------------------------------------------

    def _connection(self) -> asyncio.BaseProtocol:
        assert self._runner.server is not None
        return ApiConnection(self._runner.server, loop=asyncio.get_running_loop(), **self._how)

    async def _sweep(self) -> None:
        """Hang up on who is connected and asks nothing, or asks it a byte at a time."""
        loop = asyncio.get_running_loop()
        idle: SilentSince = {}
        while self._runner.server is not None:
            await asyncio.sleep(min(LOOK_EVERY_SECONDS, self._limits.idle))
            here = [each for each in self._runner.server.connections if isinstance(each, ApiConnection)]
            idle = silent_since(idle, here, loop.time())
            for each, since in idle.items():
                if loop.time() - since >= self._limits.idle and each.transport is not None:
                    each.transport.abort()

    # -- requests ------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let who may ask ask; every error is JSON, and none is the end of the server."""
        try:
            self._guard.refuse_pages(request)
            return await handler(request)
        except RigError as error:
            return answer_to(refused_for(error))
        except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
            if isinstance(error, ConnectionError):
                raise
            log.exception("a request that broke the server")
            return answer_to(Refused(500, "Server error", f"the server itself broke: {type(error).__name__}"))


def silent_since(former: SilentSince, connections: Iterable[ApiConnection], now: float) -> SilentSince:
    """Since when those who ask nothing have been silent: since we saw it first, or since their last answer."""
    waiting = [each for each in connections if each._current_request is None]
    return {each: max(former.get(each, now), each.answered) for each in waiting}
