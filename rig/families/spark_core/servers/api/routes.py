"""What can be asked of the API: a path and a method each, and what is answered."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from rig.errors import Misuse
from rig.families.spark_core.servers.api.devices import Devices
from rig.families.spark_core.servers.api.events import Streams
from rig.families.spark_core.servers.api.fields import Fields, read_fields
from rig.families.spark_core.servers.api.guard import TOKEN_PATH, TOKENS_PATH, Guard
from rig.families.spark_core.servers.api.refusal import TIMED_OUT, Refused
from rig.families.spark_core.servers.api.text import from_core, to_core
from rig.families.spark_core.servers.api.updates import YES, Updates
from rig.families.spark_core.servers.session import Session

#: The token does not expire; clients want a number.
EXPIRES_SECONDS = 90 * 24 * 3600
Answer = web.Response
#: What answers a request with these fields.
Handler = Callable[[web.Request, Fields], Awaitable[web.StreamResponse]]


class Routes:
    """Answers requests of those who may ask."""

    def __init__(self, guard: Guard, devices: Devices, streams: Streams, updates: Updates):
        self._guard, self._token = guard, guard.token
        self._devices, self._streams, self._updates = devices, streams, updates

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add every route; of two that fit a path, the first one counts."""
        for method, path, handler in (
            ("POST", TOKEN_PATH, self._log_in),
            ("GET", TOKENS_PATH, self._list_tokens),
            ("DELETE", f"{TOKENS_PATH}/{{token}}", self._revoke),
            ("POST", "/v1/provisioning/{device}", self._provision),
            ("GET", "/v1/events", self._all_events),
            ("GET", "/v1/events/{prefix:.*}", self._all_events),
            ("GET", "/v1/devices", self._list),
            ("POST", "/v1/devices", self._claim),
            ("GET", "/v1/devices/events", self._my_events),
            ("GET", "/v1/devices/events/{prefix:.*}", self._my_events),
            ("POST", "/v1/devices/events", self._publish),
            ("GET", "/v1/devices/{device}/events", self._events_of),
            ("GET", "/v1/devices/{device}/events/{prefix:.*}", self._events_of),
            ("GET", "/v1/devices/{device}", self._show),
            ("PUT", "/v1/devices/{device}", self._change),
            ("DELETE", "/v1/devices/{device}", self._release),
            ("GET", "/v1/devices/{device}/{name}", self._variable),
            ("POST", "/v1/devices/{device}/{name}", self._call),
        ):
            router.add_route(method, path, self._for_those_who_may(handler))

    def _for_those_who_may(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            fields = await read_fields(request)
            self._guard.check(request, fields)
            return await handler(request, fields)

        return answer

    # -- devices -------------------------------------------------------------------------------------------------------

    async def _list(self, _request: web.Request, _fields: Fields) -> Answer:
        return web.json_response([self._devices.summary(core_id) for core_id in self._devices.claimed()])

    async def _show(self, request: web.Request, _fields: Fields) -> Answer:
        return web.json_response(await self._devices.details(self._device(request)))

    async def _claim(self, _request: web.Request, fields: Fields) -> Answer:
        core_id = self._devices.claim(fields.get("id") or "")
        connected = self._devices.session(core_id) is not None
        return web.json_response({"ok": True, "id": core_id, "connected": connected})

    async def _release(self, request: web.Request, _fields: Fields) -> Answer:
        self._devices.release(self._device(request))
        return web.json_response({"ok": True})

    async def _provision(self, request: web.Request, fields: Fields) -> Answer:
        """A Core's public key, from who has it on a cable."""
        self._devices.provision(request.match_info["device"], fields.get("publicKey") or "")
        return web.json_response("Success!")

    async def _change(self, request: web.Request, fields: Fields) -> Answer:
        """Rename, flash, signal: what a PUT asks for, in that order; what it says is told in one answer."""
        core_id = self._device(request)
        answer: dict[str, Any] = {}
        if (name := fields.get("name")) is not None:
            self._devices.rename(core_id, name)
            answer |= {"ok": True, "id": core_id, "name": name}
        if fields.files:
            self._online(core_id)
            options = {**fields.text, **request.query}
            answer |= await self._updates.flash(core_id, fields, options)
        elif (signal := fields.get("signal")) is not None:
            await self._online(core_id).signal(signal.lower() in YES)
            answer |= {"id": core_id, "connected": True, "signaling": signal.lower() in YES}
        elif (app := fields.get("app")) is not None:
            raise Refused(400, f"Can't flash unknown app {app}", "this cloud keeps no apps: send a file")
        if not answer:
            raise Refused(400, "Nothing to do?", "a PUT has a file to flash, a name, or signal=1 or 0")
        return web.json_response(answer)

    # -- functions and variables ---------------------------------------------------------------------------------------

    async def _variable(self, request: web.Request, fields: Fields) -> Answer:
        core_id, name = self._device(request), request.match_info["name"]
        session = self._online(core_id)
        try:
            value = _as_json(await session.variable(to_core(name)))
        except Misuse as error:
            raise Refused(404, "Variable not found", str(error)) from error
        if _wants_raw(request, fields):
            return web.Response(text=str(value))
        about = {
            "last_app": "",
            "last_heard": self._devices.last_heard(core_id),
            "connected": True,
            "deviceID": core_id,
        }
        return web.json_response({"cmd": "VarReturn", "name": name, "result": value, "coreInfo": about})

    async def _call(self, request: web.Request, fields: Fields) -> Answer:
        """A function with the body's first field as its argument, whatever that is called."""
        core_id, name = self._device(request), request.match_info["name"]
        session = self._online(core_id)
        functions = (await session.describe())["f"]
        if name.lower() not in (from_core(known).lower() for known in functions):
            raise Refused(404, "Function not found", f"{core_id} has {', '.join(functions) or 'none'}, and no {name!r}")
        own = (value for key, value in fields.text.items() if key not in ("access_token", "format"))
        returned = await session.call(to_core(name), to_core(next(own, "")))
        if _wants_raw(request, fields):
            return web.Response(text=str(returned))
        info = self._devices.summary(core_id)
        about = {"id": core_id, "name": info["name"], "last_app": None, "connected": True}
        return web.json_response({**about, "return_value": returned})

    # -- events --------------------------------------------------------------------------------------------------------

    async def _all_events(self, request: web.Request, _fields: Fields) -> web.StreamResponse:
        return await self._streams.serve(request, request.match_info.get("prefix", ""), None, firehose=True)

    async def _my_events(self, request: web.Request, _fields: Fields) -> web.StreamResponse:
        return await self._streams.serve(request, request.match_info.get("prefix", ""), None, firehose=False)

    async def _events_of(self, request: web.Request, _fields: Fields) -> web.StreamResponse:
        prefix = request.match_info.get("prefix", "")
        return await self._streams.serve(request, prefix, self._device(request), firehose=False)

    async def _publish(self, _request: web.Request, fields: Fields) -> Answer:
        ttl = fields.get("ttl") or "60"
        if not ttl.isascii() or not ttl.isdigit() or len(ttl) > 9:
            raise Refused(400, "Bad ttl", "ttl is a number of seconds")
        public = (fields.get("private") or "false").lower() not in YES
        self._streams.publish(fields.get("name") or "", fields.get("data"), public=public, ttl=int(ttl))
        return web.json_response({"ok": True})

    # -- the token -----------------------------------------------------------------------------------------------------

    async def _log_in(self, _request: web.Request, fields: Fields) -> Answer:
        """OAuth's password grant: the password is the token, and so is the answer."""
        if fields.get("grant_type") != "password":
            raise Refused(400, "invalid_request", "the grant_type is to be `password`", code=400)
        if not self._token.matches(fields.get("password")):
            raise Refused(400, "invalid_grant", "User credentials are invalid", code=400)
        answer = {"access_token": self._token.value, "token_type": "bearer", "expires_in": EXPIRES_SECONDS}
        return web.json_response(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def _list_tokens(self, _request: web.Request, _fields: Fields) -> Answer:
        return web.json_response([{"token": self._token.value, "expires_at": None, "client": "rig"}])

    async def _revoke(self, request: web.Request, _fields: Fields) -> Answer:
        """Another token is made, in the same file; whoever used the former one is out, streams too."""
        if not self._token.matches(request.match_info["token"]):
            raise Refused(404, "Token not found", "there is no such token")
        self._token.renew()
        self._streams.end()
        return web.json_response({"ok": True})

    # -- whom a request means ------------------------------------------------------------------------------------------

    def _device(self, request: web.Request) -> str:
        return self._devices.find(request.match_info["device"])

    def _online(self, core_id: str) -> Session:
        """A device's session, for what it cannot be asked in the middle of an update. Raises Refused."""
        session = self._devices.session(core_id)
        if session is None:
            raise Refused(408, TIMED_OUT, f"{core_id} is not online")
        if session.update_listener is not None:
            raise Refused(400, "Device is busy", f"{core_id} is being updated")
        return session


def _wants_raw(request: web.Request, fields: Fields) -> bool:
    return "raw" in (request.query.get("format"), fields.get("format"))


def _as_json(value: bool | int | float | str) -> bool | int | float | str | None:
    """A variable's value; None for numbers that JSON has no word for, as the genuine cloud says."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return from_core(value) if isinstance(value, str) else value
