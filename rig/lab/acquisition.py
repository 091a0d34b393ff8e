"""Boards for a test run: found by tags at a coordinator, acquired, handed out, and given back powered.

Each place we hold carries the tag `held_by` with the process that holds it, so that the next run can tell what a
killed one left behind, and bring it back.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labgrid import Environment
from labgrid.binding import BindingError
from labgrid.exceptions import InvalidConfigError, NoDriverFoundError, NoResourceFoundError
from labgrid.remote.client import Error
from labgrid.resource.common import ResourceManager
from labgrid.resource.remote import RemotePlaceManager
from labgrid.util import yaml as labgrid_yaml

from rig.boards.spark_core import SparkCore
from rig.boards.timing import Timing
from rig.clock import Clock, look_for
from rig.errors import LabFault, Misuse, RigError
from rig.lab.coordinator import Coordinator
from rig.lab.health import Health, acquit, all_health, is_quarantined, quarantine
from rig.lab.scheduling import rare

HOLDER_TAG = "held_by"


#: How long to wait for a place that somebody else has.
PATIENCE_SECONDS = 60.0
#: How far the coordinator's clock and ours may be apart, and how long setting a tag may take.
TAKEN_WITHIN_SECONDS = 5.0


class NotHere(Misuse):
    """No place at this coordinator can do what was asked for."""


class Boards:
    """What one test worker has acquired. Use as a context manager; leaving it gives everything back, powered."""

    def __init__(self, coordinator: str, environment: Path, *, patience: float = PATIENCE_SECONDS, reaps: bool = True):
        """`reaps`: whether what a killed run of this host left is given back at the beginning."""
        self._patience, self._reaps = patience, reaps
        self._address = coordinator
        self._environment = environment
        self._coordinator = Coordinator(coordinator)
        self._held: dict[str, tuple[SparkCore, Any]] = {}
        #: Places that a killed run had left acquired, and that were given back when this began.
        self.reaped: list[str] = []

    def __enter__(self) -> Boards:
        os.environ["LG_COORDINATOR"] = self._address
        self._coordinator.__enter__()
        _share_session(self._coordinator)
        if self._reaps:
            self._reap()
        return self

    def __exit__(self, *exc: Any) -> None:
        failed: list[RigError] = []
        for name in list(self._held):
            try:
                self._give_back(name)
            except RigError as error:
                failed.append(error)
        self._coordinator.__exit__(*exc)
        ResourceManager.instances.pop(RemotePlaceManager, None)
        if failed:
            raise failed[0]

    def get(self, kind: str, tags: Mapping[str, str]) -> SparkCore:
        """A board of `kind` whose place has all `tags`: the quickest that we hold or that is free.

        Raises NotHere when no place has these tags, LabFault when all that have them stay taken.
        """
        wanted = {"board": kind, **tags}
        places = self._coordinator.places()
        fitting = {name: place for name, place in places.items() if wanted.items() <= place.tags.items()}
        healthy = {name: place for name, place in fitting.items() if not is_quarantined(place.tags)}
        if fitting and not healthy:
            told = ", ".join(f"{name} ({place.tags.get('reason', 'unknown')})" for name, place in fitting.items())
            raise LabFault(f"every place that fits is in quarantine: {told}", hint="rig lab health --control-cut PLACE")
        fitting = healthy
        if not fitting:
            text = " ".join(f"{key}={value}" for key, value in wanted.items())
            raise NotHere(f"no place has {text}", hint=f"places are {', '.join(sorted(places)) or 'none'}")
        found = look_for(lambda: self._take_one(fitting), seconds=self._patience, clock=Clock(), every=0.5)
        if found is not None:
            return found
        holders = ", ".join(f"{name} by {self._coordinator.places()[name].acquired}" for name in sorted(fitting))
        raise LabFault(f"every place that fits is taken: {holders}", hint="wait, or `labgrid-client release` one")

    def take(self, name: str) -> SparkCore:
        """The board in the place called `name`, whatever its tags say. Raises Misuse, LabFault when it is taken."""
        if name not in self._held:
            self._coordinator.acquire(name)
            self._take(name).power_on()
        return self._held[name][0]

    def health(self) -> list[Health]:
        """The health of every place with a board."""
        return all_health(self._coordinator)

    def power_what_is_off(self, places: list[str]) -> list[str]:
        """Power every board that stands without power, and tell which; those that others hold are theirs."""
        revived = []
        for name in places:
            if name not in self._held and not self._coordinator.places()[name].acquired and self._acquire(name):
                board = self._take(name)
                if not board.relay.get():
                    revived.append(name)
                self._give_back(name)
        return revived

    def tell(self, name: str, **tags: str) -> None:
        """Set tags of a place that we hold."""
        self._coordinator.tag(name, **tags)

    def acquit(self, name: str) -> None:
        """Put a board that we hold back into circulation."""
        acquit(self._coordinator, name)

    def quarantine(self, name: str, reason: str) -> None:
        """Take a board that we hold out of circulation and give its place back; it stays as it is."""
        _, target = self._held.pop(name)
        quarantine(self._coordinator, name, reason)
        target.cleanup()
        self._coordinator.tag(name, **{HOLDER_TAG: ""})
        self._coordinator.release(name)

    def _take_one(self, fitting: Mapping[str, Any]) -> SparkCore | None:
        """The board of the quickest place that is ours already or free now, a common one before a rare one."""
        places = self._coordinator.places()
        pace = {name: Timing.from_tags(place.tags).scale for name, place in fitting.items()}

        def preference(name: str) -> tuple[float, bool, str, str]:
            return pace[name], name not in self._held, rare(fitting[name].tags), name

        for name in sorted(fitting, key=preference):
            if name in self._held:
                return self._held[name][0]
            if not places[name].acquired and self._acquire(name):
                board = self._take(name)
                board.power_on()
                return board
        return None

    def _acquire(self, name: str) -> bool:
        """Acquire a place that looked free; False when somebody was faster."""
        try:
            self._coordinator.acquire(name)
        except LabFault:
            if self._coordinator.places()[name].acquired:
                return False
            raise
        return True

    def _take(self, name: str) -> SparkCore:
        """Build the board of a place that is ours now."""
        self._coordinator.tag(name, **{HOLDER_TAG: _holder()})
        try:
            board, target = build_board(self._environment, name)
        except BaseException:
            self._coordinator.tag(name, **{HOLDER_TAG: ""})
            self._coordinator.release(name)
            raise
        self._held[name] = (board, target)
        return board

    def _give_back(self, name: str) -> None:
        """Start the board anew, and release its place; one that cannot be powered keeps its tag, for the next run."""
        board, target = self._held.pop(name)
        try:
            board.relay.off()
            board.relay.on()
            target.cleanup()
            self._coordinator.tag(name, **{HOLDER_TAG: ""})
        finally:
            self._coordinator.release(name)

    def _reap(self) -> None:
        """Give back what a run of this host left acquired when it was killed, powered."""
        for name, place in self._coordinator.places().items():
            if not _is_abandoned(place.tags.get(HOLDER_TAG, "")):
                continue
            if place.acquired == self._coordinator.identity and _unchanged_since_taken(place):
                self._coordinator.release(name)
            elif place.acquired:
                continue
            if self._acquire(name):
                self._take(name)
                self._give_back(name)
                self.reaped.append(name)


def free_places(coordinator: str) -> int:
    """How many places with a board nobody holds now. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return sum("board" in place.tags and not place.acquired for place in session.places().values())


def places_with(coordinator: str, kind: str) -> list[str]:
    """Names of all places with a board of `kind`. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return sorted(name for name, place in session.places().items() if place.tags.get("board") == kind)


def build_board(environment: Path, place: str) -> tuple[SparkCore, Any]:
    """The board in `place`, with the labgrid target that carries its drivers. Raises Misuse, LabFault."""
    os.environ["LG_PLACE"] = place
    try:
        env = Environment(config_file=str(environment))
    except (OSError, ImportError, InvalidConfigError, labgrid_yaml.yaml.YAMLError, KeyError) as error:
        raise Misuse(f"{environment} is no labgrid environment: {' '.join(str(error).split())}") from error
    try:
        target = env.get_target("main")
        if target is None:
            raise Misuse(f"{environment} has no target called main")
        return SparkCore.from_target(target), target
    except (Error, NoResourceFoundError, NoDriverFoundError, BindingError) as error:
        raise LabFault(f"labgrid: {error}", board=place, hint="is its exporter alive?") from error
    except KeyError as error:  # what labgrid makes of resources whose exporter has just gone
        raise LabFault("its resources are gone", board=place, hint="is its exporter alive?") from error


def _share_session(coordinator: Coordinator) -> None:
    """Let labgrid's remote places use our session.

    Two sessions of one process share a TCP connection, and labgrid's coordinator refuses the second.
    """
    ResourceManager.instances.pop(RemotePlaceManager, None)
    manager = RemotePlaceManager.get()
    manager.session = coordinator.session
    manager.loop = _SyncedLoop()


class _SyncedLoop:
    """Tells labgrid's place manager that nothing is to be waited for.

    It would give the event loop a tenth of a second at each of the 48 polls that activating a Core's drivers takes;
    our coordinator session has synchronised before the place was acquired.
    """

    def is_running(self) -> bool:
        """Somebody else runs the loop."""
        return True


def _holder() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{time.time():.0f}"


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks: a number that a later process with the same id does not have."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _unchanged_since_taken(place: Any) -> bool:
    """Whether nobody has touched a place since its tag was set: else it is somebody's again."""
    taken: str = place.tags[HOLDER_TAG].rpartition("/")[2]
    return taken.isdigit() and abs(float(place.changed) - int(taken)) < TAKEN_WITHIN_SECONDS


def _is_abandoned(holder: str) -> bool:
    host, _, rest = holder.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, _ = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started
