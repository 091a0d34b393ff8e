"""Which lab is meant: its coordinator, and the environment of its places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rig.firmware.checkout import part
from rig.lab.coordinator import coordinator_address
from rig.lab.environment import rack_environment


@dataclass(frozen=True, slots=True)
class Lab:
    """Where boards are: a coordinator, `HOST:PORT`, and a labgrid environment for its places."""

    coordinator: str
    environment: Path

    @classmethod
    def named(cls, coordinator: str | None, rack: Path | None) -> Lab:
        """The one that somebody names; None for the coordinator of LG_COORDINATOR, and for the rig's own environment.

        Raises Misuse.
        """
        environment = rack_environment(rack) if rack is not None else part("places", "virtual.yaml")
        return cls(coordinator_address(coordinator), environment)
