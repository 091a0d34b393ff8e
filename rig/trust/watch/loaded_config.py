"""What a watch works with: what its config names, found and read before the first look."""

from __future__ import annotations

from dataclasses import dataclass

from rig.errors import Misuse
from rig.trust.probe.roots import load_roots, system_roots
from rig.trust.watch.channel import Channel, channel
from rig.trust.watch.config import WatchConfig
from rig.trust.watch.firmware import Fleet
from rig.trust.watch.judge import Judge


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """What a config names, found and read."""

    fleet: Fleet
    judge: Judge
    channels: tuple[Channel, ...]

    @classmethod
    def of(cls, config: WatchConfig) -> LoadedConfig:
        """Raises Misuse for what is not there: the manifest, a pin, roots, a variable of the environment."""
        fleet = Fleet.of(config)
        roots = load_roots(config.roots) if config.roots is not None else system_roots()
        if config.metrics.file is not None and not config.metrics.file.parent.is_dir():
            raise Misuse(f"metrics.file: {config.metrics.file.parent} is no folder", hint="make it")
        channels = tuple(map(channel, config.alert.channels))
        return cls(fleet, Judge(fleet, config.thresholds, roots), channels)
