"""Shelly's Gen2 RPC over HTTP for a relay's channels: Switch.Set and Switch.GetStatus, with arguments as they must be.

Errors are those of the real device: -103 for an argument (HTTP 400), -105 for a switch that is not there, 404 for a
method (both HTTP 500).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from rig.control.web_pages import WebPages
from rig.formats.json_object import NotAnObject, is_whole, read_object
from rig.http_settings import BUSY, http_settings
from rig.limits import SHELLY, Limits, effective_limits
from rig.listener import Listener
from rig.twin.digest_guard import DigestGuard

#: What it calls itself, and whose password it asks for.
NAME = "twin-relay"
INVALID_ARGUMENT, NOT_FOUND, NO_HANDLER = -103, -105, 404
#: A line of a request's head, and the longest of a call's: no client sends more.
LONGEST_FIELD = 2048
#: labgrid's own driver tells the switch as text, and real devices take it.
_DIGITS = re.compile(r"[0-9]{1,6}", re.A)


class Switches(Protocol):
    """The relay."""

    closed: list[bool]

    def switch(self, channel: int, closed: bool) -> None:
        """Open or close a channel; returns at once."""


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


class ShellyServer:
    """Serves `switches` on one port, for who is no web page, and knows the `password` where there is one.

    `names` are what clients may call this machine.
    """

    def __init__(
        self, switches: Switches, password: str | None = None, names: Sequence[str] = (), limits: Limits = SHELLY
    ):
        self._switches, self._names, self._limits = switches, names, effective_limits(limits)
        self._pages = WebPages()
        guards = [DigestGuard(password, NAME).middleware] if password is not None else []
        app = web.Application(middlewares=guards, client_max_size=self._limits.message)
        app.router.add_post("/rpc", self._rpc)
        self._runner = web.AppRunner(app, **http_settings(self._limits, LONGEST_FIELD))
        self._listener: Listener | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._pages = WebPages(host, self._names)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._listener = Listener(server, self._limits, refusal=BUSY)
        return await self._listener.start(host, port)

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._listener is not None:
            self._listener.close()
        if self._runner.server is not None:
            await self._runner.server.shutdown(1.0)
        await self._runner.cleanup()

    async def _rpc(self, request: web.Request) -> web.Response:
        if reason := self._pages.refusal(request.headers):
            return web.json_response({"error": {"code": 403, "message": reason}}, status=403)
        call: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self._limits.idle):
                call = read_object(await request.read())
            reply: dict[str, Any] = {"result": await self._answer(call)}
        except NotAnObject as error:
            reply = {"error": {"code": INVALID_ARGUMENT, "message": f"bad request: {error}"}}
        except TimeoutError:
            return web.Response(status=408)
        except Refused as error:
            reply = {"error": {"code": error.code, "message": str(error)}}
        number = call.get("id")
        reply = {"id": number if is_whole(number) or isinstance(number, str) else None, "src": NAME, **reply}
        return web.json_response(reply, status=_status(reply))

    async def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """What comes of a call. Raises Refused."""
        method, arguments = call.get("method"), call.get("params", {})
        if not isinstance(method, str) or not isinstance(arguments, dict):
            raise Refused(INVALID_ARGUMENT, "method is text and params an object")
        if method not in ("Switch.Set", "Switch.GetStatus"):
            raise Refused(NO_HANDLER, f"No handler for {method[:80]}")
        channel = self._channel(arguments)
        was = self._switches.closed[channel]
        if method == "Switch.GetStatus":
            return {"id": channel, "output": was}
        if not _is_switch(arguments.get("on")):
            raise Refused(INVALID_ARGUMENT, _wanted("on", "bool", arguments))
        if "toggle_after" in arguments:
            raise Refused(INVALID_ARGUMENT, "Argument 'toggle_after' is not served here")
        self._switches.switch(channel, bool(arguments["on"]))
        return {"was_on": was}

    def _channel(self, arguments: dict[str, Any]) -> int:
        channel = _channel_told(arguments.get("id"))
        if channel is None:
            raise Refused(INVALID_ARGUMENT, _wanted("id", "whole number", arguments))
        if not 0 <= channel < len(self._switches.closed):
            raise Refused(NOT_FOUND, f"Argument 'id', value {channel} not found!")
        return channel


def _is_switch(value: object) -> bool:
    """Whether it is true or false, and nothing that would be taken for it."""
    return isinstance(value, bool)


def _channel_told(value: object) -> int | None:
    """The channel that is meant; None for what is no whole number."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if is_whole(value) else None


def _wanted(name: str, kind: str, arguments: dict[str, Any]) -> str:
    return f"Argument '{name}' is no {kind}" if name in arguments else f"Argument '{name}' is missing"


def _status(reply: dict[str, Any]) -> int:
    if "error" not in reply:
        return 200
    return 400 if reply["error"]["code"] == INVALID_ARGUMENT else 500
