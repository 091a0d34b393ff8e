"""The HTTP server of the API: who may connect for how long, and how errors are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from rig.control.web_pages import WebPages
from rig.errors import RigError
from rig.servers.spark.api.devices import Devices
from rig.servers.spark.api.events import MOST_STREAMS, Streams
from rig.servers.spark.api.fields import LONGEST_BODY
from rig.servers.spark.api.guard import Guard
from rig.servers.spark.api.refusal import Refused, refused_for
from rig.servers.spark.api.routes import Routes
from rig.servers.spark.api.token import AccessToken
from rig.servers.spark.api.updates import Updates
from rig.servers.spark.cloud import SparkCloud

log = logging.getLogger(__name__)

#: So many may come at once before the first of them counts.
MOST_CONNECTIONS, BACKLOG = MOST_STREAMS + 96, 16
#: Who connected and did not ask within two looks or so is hung up on.
LOOK_EVERY_SECONDS, MOST_LOOKS = 5.0, 3
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestApi:
    """`/v1` of a cloud, for who knows the token; `names` are what clients may call this machine."""

    def __init__(self, cloud: SparkCloud, token: AccessToken, names: Sequence[str] = ()):
        self.token, self._names = token, names
        self.devices = Devices(cloud)
        self.streams = Streams(cloud, self.devices)
        self.updates = Updates(cloud)
        self._guard = Guard(token)
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        app = web.Application(middlewares=[self._answer], client_max_size=LONGEST_BODY)
        Routes(self._guard, self.devices, self.streams, self.updates).add_to(app.router)
        quiet = logging.getLogger(f"{__name__}.http")
        quiet.setLevel(logging.CRITICAL)  # what clients send is no trouble of ours, and may hold the token
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=quiet,
            handler_cancellation=True,
            auto_decompress=False,
            keepalive_timeout=15.0,
            lingering_time=1.0,
        )

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._guard.pages = WebPages(host, self._names)
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port, backlog=BACKLOG)
        self._sweeper = loop.create_task(self._sweep())
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
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
        server = self._runner.server
        if server is None or len(server.connections) >= MOST_CONNECTIONS:
            return _HangsUp()
        return server()

    async def _sweep(self) -> None:
        """Hang up on who is connected and asks nothing, or asks it a byte at a time."""
        idle: dict[web.RequestHandler, int] = {}
        while self._runner.server is not None:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            waiting = [each for each in self._runner.server.connections if each._current_request is None]
            idle = {each: idle.get(each, 0) + 1 for each in waiting}
            for each, looks in idle.items():
                if looks >= MOST_LOOKS and each.transport is not None:
                    each.transport.abort()

    # -- requests ------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let who may ask ask; every error is JSON, and none is the end of the server."""
        try:
            self._guard.refuse_pages(request)
            return await handler(request)
        except RigError as error:
            refused = refused_for(error)
        except web.HTTPException as error:
            refused = Refused(error.status, error.reason)
        except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
            if isinstance(error, ConnectionError):
                raise
            log.exception("a request that broke the server")
            refused = Refused(500, "Server error", f"the server itself broke: {type(error).__name__}")
        headers = {"Cache-Control": "no-store"}
        if refused.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="rig"'
        return web.json_response(refused.told(), status=refused.status, headers=headers)


class _HangsUp(asyncio.Protocol):
    """What meets one connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hang up."""
        transport.close()
