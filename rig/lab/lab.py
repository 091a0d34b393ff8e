"""Which lab is meant: its coordinator, and the environment of its places."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rig import registry
from rig.errors import LabFault
from rig.family.contract import family_of
from rig.family.place import PlaceDescription
from rig.lab.coordinator import coordinator_address
from rig.lab.environment import rack_environment
from rig.lab.example import write_environments


@dataclass(frozen=True, slots=True)
class Lab:
    """Where boards are: a coordinator, `HOST:PORT`, and a labgrid environment for its places."""

    coordinator: str
    environment: Path

    @classmethod
    def named(cls, coordinator: str | None, rack: Path | None) -> Lab:
        """The one that somebody names; None for the coordinator of LG_COORDINATOR, and for what families say of places.

        Raises Misuse.
        """
        environment = rack_environment(rack) if rack is not None else own_environment()
        return cls(coordinator_address(coordinator), environment)


def own_environment() -> Path:
    """How boards of every kind that is installed are reached, by their families: files that are gone with this process.

    Raises LabFault where they cannot be written.
    """
    folder = Path(tempfile.mkdtemp(prefix="rig-lab-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_environments(folder, list(_places()))


def _places() -> Iterator[PlaceDescription]:
    """Of each family; one that does not load has none, and all others have theirs."""
    for kind in registry.kinds():
        try:
            yield family_of(kind).place
        except LabFault:
            continue
