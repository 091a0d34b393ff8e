"""labgrid targets for the places we hold: built one by one, on the one session this process has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from labgrid import Environment
from labgrid.binding import BindingError
from labgrid.exceptions import InvalidConfigError, NoConfigFoundError, NoDriverFoundError, NoResourceFoundError
from labgrid.remote.client import Error
from labgrid.resource.common import ResourceManager
from labgrid.resource.remote import RemotePlaceManager
from labgrid.util import yaml as labgrid_yaml

from rig.boards.board import Board
from rig.errors import Misdescribed, Misuse, Unreachable
from rig.family.contract import family_of
from rig.lab.coordinator import Coordinator

#: What labgrid makes of a file that is no environment.
WRONG_ENVIRONMENT = (
    *(OSError, ImportError, KeyError, ValueError),
    *(InvalidConfigError, NoConfigFoundError, labgrid_yaml.yaml.YAMLError),
)


def build_board(environment: Path, place: str, kind: str) -> tuple[Board, Any]:
    """The board of a kind in `place`, with the labgrid target that carries its drivers.

    Raises Misuse, Misdescribed, Unreachable where its exporter offers nothing.
    """
    os.environ["LG_PLACE"] = place
    environment = environment_for(environment, kind)
    try:
        env = Environment(config_file=str(environment))
    except WRONG_ENVIRONMENT as error:
        raise Misuse(f"{environment} is no labgrid environment: {' '.join(str(error).split())}") from error
    try:
        target = _target_of(env, environment)
        return board_of(target, kind), target
    except Misdescribed as error:
        error.board = place
        raise
    except NoDriverFoundError as error:
        raise Misdescribed(f"{environment} lacks a driver: {error}", board=place, hint="as places/ has it") from error
    except (Error, NoResourceFoundError, BindingError) as error:
        hint = f"is its exporter alive, and {environment.name} an environment for board={kind}?"
        raise Unreachable(f"labgrid: {error}", board=place, hint=hint) from error
    except KeyError as error:  # what labgrid makes of resources whose exporter has just gone
        raise Unreachable("its resources are gone", board=place, hint="is its exporter alive?") from error


def _target_of(env: Environment, path: Path) -> Any:
    """The target of an environment with its drivers. Raises Misuse, and whatever labgrid does of exporters."""
    try:
        target = env.get_target("main")
    except (InvalidConfigError, TypeError, ValueError, AttributeError) as error:
        raise Misuse(f"{path} describes no target: {' '.join(str(error).split())}") from error
    if target is None:
        raise Misuse(f"{path} has no target called main")
    return target


def environment_for(environment: Path, kind: str) -> Path:
    """The file beside `environment` that is called after the kind too, `lab-KIND.yaml` for `lab.yaml`; else itself.

    labgrid makes every target of a file, so boards that are wired differently need a file each.
    """
    own = environment.with_stem(f"{environment.stem}-{kind}")
    return own if own.exists() else environment


def board_of(target: Any, kind: str) -> Board:
    """The board behind a labgrid target. Raises Misuse for a kind that nobody knows."""
    return family_of(kind).board.from_target(target)


def share_session(coordinator: Coordinator) -> None:
    """Let labgrid's remote places use our session.

    Two sessions of one process share a TCP connection, and labgrid's coordinator refuses the second.
    """
    ResourceManager.instances.pop(RemotePlaceManager, None)
    manager = RemotePlaceManager.get()
    manager.session = coordinator.session
    manager.loop = _SyncedLoop()


class _SyncedLoop:
    """Tells labgrid's place manager that nothing is to be waited for.

    It would give the event loop a tenth of a second at each of the 48 polls that activating a board's drivers takes;
    our coordinator session has synchronised before the place was acquired.
    """

    def is_running(self) -> bool:
        """Somebody else runs the loop."""
        return True


def forget_session() -> None:
    """Let labgrid make a session of its own again."""
    ResourceManager.instances.pop(RemotePlaceManager, None)
