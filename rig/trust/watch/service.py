"""A watch as people and init systems run it: a config file, signals, and a state folder of its own.

SIGTERM and SIGINT end it; SIGHUP reads the config again, and where that is wrong the old one stays.
"""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.trust.watch.config import WatchConfig, read_watch_config
from rig.trust.watch.loaded_config import LoadedConfig
from rig.trust.watch.memory import Alert
from rig.trust.watch.state import WatchState
from rig.trust.watch.watch import Round, Watch


@dataclass(frozen=True, slots=True)
class WatchCallbacks:
    """Who hears of what: alerts when they are on the disk, that it is ready, and what else goes on."""

    on_alert: Callable[[Alert], None] = lambda _alert: None
    on_ready: Callable[[Mapping[str, Any]], None] = lambda _ready: None
    on_message: Callable[[str], None] = lambda _text: None


def check(path: Path) -> dict[str, Any]:
    """What a config says, when it and all that it names are as they should be. Raises Misuse."""
    config = read_watch_config(path)
    fleet = LoadedConfig.of(config).fleet
    for command in config.alert.command:  # a watch begins without: it may be there when it is needed
        command.check()
    return {
        "config": str(path),
        "endpoints": [endpoint.name for endpoint in config.endpoint],
        "firmware": [one.name for one in fleet.firmware],
        "channels": [channel.name for channel in config.alert.channels],
        "unwatched": fleet.unwatched(config.endpoint),
        "state": str(config.state),
    }


def watch_once(path: Path, state: Path | None, audience: WatchCallbacks) -> Round:
    """One round. Raises Misuse, LabFault."""
    config = read_watch_config(path)
    kept = _open(config, state, audience)
    try:
        watch = Watch(config, kept, on_alert=audience.on_alert, on_message=audience.on_message)
        return asyncio.run(watch.once())
    finally:
        kept.close()


def watch_on(path: Path, state: Path | None, audience: WatchCallbacks) -> None:
    """Watch until a signal ends it. Raises Misuse, LabFault."""
    config = read_watch_config(path)
    kept = _open(config, state, audience)
    try:
        asyncio.run(_Service(path, config, kept, audience).serve())
    finally:
        kept.close()


class _Service:
    """Runs a watch, and another one in its place when the config was read again."""

    def __init__(self, path: Path, config: WatchConfig, state: WatchState, audience: WatchCallbacks):
        self._path, self._state, self._audience = path, state, audience
        self._next: Watch | None = self._watch(config)
        self._over = asyncio.Event()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        while self._next is not None:
            watch, self._next = self._next, None
            self._over.clear()
            await watch.run(self._over, functools.partial(self._ready, watch))

    def _watch(self, config: WatchConfig) -> Watch:
        return Watch(config, self._state, on_alert=self._audience.on_alert, on_message=self._audience.on_message)

    def _reload(self) -> None:
        try:
            self._next = self._watch(read_watch_config(self._path))
        except Misuse as error:
            self._audience.on_message(f"the config was not taken, the former one stays: {error}")
            return
        self._audience.on_message("the config was read again")
        self._over.set()

    def _ready(self, watch: Watch, port: int | None) -> None:
        self._audience.on_ready(
            {
                "ready": True,
                "endpoints": len(watch.config.endpoint),
                "firmware": [one.name for one in watch.fleet.firmware],
                "metrics": port,
            }
        )


def _open(config: WatchConfig, state: Path | None, audience: WatchCallbacks) -> WatchState:
    folder = state or config.state
    if folder is None:
        raise Misuse("a watch needs a folder for its state", hint="--state FOLDER")
    kept = WatchState(folder)
    if kept.torn:
        audience.on_message(f"the last line of the state in {folder} was torn ({kept.torn} bytes): it is dropped")
    return kept
