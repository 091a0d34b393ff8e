"""An event loop on a thread of its own, so that a test sees servers and models from outside while they run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.rig.waiting import HANGS

T = TypeVar("T")
#: How long anything may take there; more is a test that hangs.
PATIENCE_SECONDS = 30


class LoopThread:
    """Runs until `close`; what lives there is touched through `run` and `call` only."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_SECONDS)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call something on the loop's own thread."""

        async def act() -> T:
            return function(*args)

        return self.run(act())

    def close(self) -> None:
        """Let what was closed a moment ago end, and stop."""
        self.run(asyncio.sleep(0.01))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(HANGS)
        self.loop.close()
