"""Serving something until a signal, with one JSON line that says that it is ready."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any


def announce(ready: Mapping[str, Any]) -> None:
    """Print the one JSON line that says a served thing is ready."""
    print(json.dumps(ready), flush=True)


def serve(
    start_up: Callable[[], Awaitable[Mapping[str, Any]]],
    close: Callable[[], Awaitable[None] | None],
    tell: Callable[[Mapping[str, Any]], None] = announce,
) -> None:
    """Start something, announce it, serve until SIGTERM or Ctrl-C, close it."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            tell(await start_up())
            await stop.wait()
        finally:
            closing = close()
            if closing is not None:
                await closing

    asyncio.run(main())
