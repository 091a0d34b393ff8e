"""Serving something until a signal, with one JSON line that says that it is ready."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rig import escape
from rig.errors import RigError
from rig.ports import is_loopback, taking


def announce(ready: Mapping[str, Any]) -> None:
    """Print the one JSON line that says a served thing is ready."""
    print(json.dumps(ready), flush=True)


async def listening(start: Callable[[str, int], Awaitable[int]], address: tuple[str, int]) -> dict[str, Any]:
    """Let a server listen; returns where, as a ready line tells it. Raises LabFault for a port it cannot have."""
    host, port = address
    with taking(host, port):
        return {"host": host, "port": await start(host, port)}


def warn_of_open_port(option: str, host: str, what: str) -> None:
    """Say in one line on standard error that others than this machine reach what is served, and what they can do."""
    if not is_loopback(host):
        text = f"rig: warning: {option} {host}: others reach it: {what}"
        print(escape.terminal(text), file=sys.stderr, flush=True)


def serve(
    start_up: Callable[[], Awaitable[Mapping[str, Any]]],
    close: Callable[[], Awaitable[None] | None],
    on_ready: Callable[[Mapping[str, Any]], None] = announce,
    *,
    fatal: type[Exception] = RigError,
) -> None:
    """Start something, announce it, serve until SIGTERM or Ctrl-C, close it.

    Raises what is `fatal` and nobody handles meanwhile: what is served is broken then. Anything else that nobody
    handles goes to the log.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def end(error: Exception | None = None) -> None:
            if not over.done():
                over.set_exception(error) if error else over.set_result(None)

        def unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            if not isinstance(error, RigError):  # those say all in one line
                loop.default_exception_handler(context)
            if isinstance(error, fatal):
                end(error)

        loop.set_exception_handler(unhandled)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        try:
            ready = await start_up()
            if not over.done():
                on_ready(ready)
            await over
        finally:
            closing = close()
            if closing is not None:
                await closing

    asyncio.run(main())
