"""What a pytest run was told to use: which rack, and the virtual one where it is that, and which firmware."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rig.errors import RigError
    from rig.firmware.manifest import Manifest
    from rig.lab.acquisition import Boards
    from rig.lab.asked import Wanted
    from rig.lab.rack import VirtualRack

#: Id of the run, the same in all its workers.
RUN_ID = pytest.StashKey[str]()
#: The virtual rack of a run, where its controller has started one.
RACK: pytest.StashKey[VirtualRack] = pytest.StashKey()
#: The boards that the tests of a run ask for, where they are known before it starts.
ASKED: pytest.StashKey[list[Wanted]] = pytest.StashKey()
#: The boards that a process of a run has acquired, once one was asked for.
BOARDS: pytest.StashKey[Boards] = pytest.StashKey()
#: Faults of boards that could not be brought back when a run began.
LOST: pytest.StashKey[list[RigError]] = pytest.StashKey()
_FIRMWARE: pytest.StashKey[Manifest] = pytest.StashKey()


def chosen_rack(config: pytest.Config) -> str:
    """`virtual`, or the environment file that was named."""
    chosen: str | None = config.getoption("--rack")
    return chosen or "virtual"


def is_engineers_own(config: pytest.Config) -> bool:
    """Whether an engineer's own target is meant; a rack that was named wins over labgrid's variable in the shell."""
    return bool(config.getoption("lg_env") or (os.environ.get("LG_ENV") and not config.getoption("--rack")))


def virtual_coordinator(config: pytest.Config) -> str:
    """Address of the virtual rack's coordinator: the controller's rack in a worker, else one that starts now."""
    told: str | None = getattr(config, "workerinput", {}).get("rig_coordinator")
    return told or virtual_rack(config).coordinator


def where_boards_are(config: pytest.Config) -> tuple[str, Path]:
    """Address of the coordinator, and the environment of its places."""
    from rig.lab.checkout import part
    from rig.lab.coordinator import coordinator_address

    rack = chosen_rack(config)
    if rack == "virtual":
        return virtual_coordinator(config), part("places", "virtual.yaml")
    return coordinator_address(config.getoption("lg_coordinator")), Path(rack)


def bring_boards_back(config: pytest.Config) -> None:
    """Once for a run, before anybody asks for a board; those of a virtual rack have just been started."""
    from rig.lab.acquisition import begin

    if LOST not in config.stash and chosen_rack(config) != "virtual":
        config.stash[LOST] = begin(*where_boards_are(config))


def virtual_rack(config: pytest.Config) -> VirtualRack:
    """The virtual rack of this process, started when it is first asked for and stopped with the run."""
    from rig.lab.rack import RackPlan, VirtualRack

    if RACK not in config.stash:
        workers = config.getoption("numprocesses", None) or 1
        plan = RackPlan.for_suites(workers, config.option.rig_manifest, every_case=config.option.long)
        if (asked := config.stash.get(ASKED, None)) is not None:
            plan = plan.asked_for(asked)
        rack = VirtualRack(plan)
        rack.__enter__()
        config.stash[RACK] = rack
        config.add_cleanup(rack.stop)
    return config.stash[RACK]


def chosen_firmware(config: pytest.Config) -> Manifest:
    """The manifest of the firmware under test, read once. Raises Misuse."""
    from rig.firmware.manifest import Manifest
    from rig.lab.checkout import manifest_path

    if _FIRMWARE not in config.stash:
        config.stash[_FIRMWARE] = Manifest.load(manifest_path(config.option.rig_manifest))
    return config.stash[_FIRMWARE]
