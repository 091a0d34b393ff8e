"""The virtual rack: twins, a relay, a real labgrid exporter and a real coordinator, on free ports of loopback."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from rig.clock import Clock, Deadline
from rig.control.address import socket_in
from rig.drivers.relay import Contact
from rig.errors import LabFault
from rig.firmware.manifest import Manifest
from rig.formats.spark_keys import ServerRecord
from rig.lab.asked import Wanted
from rig.lab.checkout import DEFAULT_COORDINATOR, manifest_path
from rig.lab.children import Child, Children
from rig.lab.coordinator import Coordinator
from rig.lab.core_slot import CoreSlot
from rig.lab.esp32_slot import Esp32Slot
from rig.lab.rack_state import hold_state
from rig.lab.site import HOST, UPDATE_HOSTS, Site, Slot, Told
from rig.ports import format_address, free_port, read_address
from rig.twin.real_time import LOG
from rig.twin.state_folder import FolderLock

READY_SECONDS = 60.0
REVIVAL_SECONDS = 1.0
#: Time scale of boards whose exact timing does not matter.
QUICK = 0.1


@dataclass(frozen=True, slots=True)
class RackPlan:
    """What to build: a board for each slot, shipped with the images of `manifest` (None: the rig's own)."""

    slots: Sequence[Slot]
    manifest: Path | None = None
    seed: int = 0

    @classmethod
    def for_suites(cls, workers: int, manifest: Path | None, *, every_case: bool) -> RackPlan:
        """Boards for the suites: quick ones for each worker, and one of every other that some case asks for.

        Cuts aimed at a window need a board as slow as a real one. With `every_case` there are as many of each
        generation, one of 2013, and one board more that knows a network, for a cut that costs its radio. Without it few
        cases ask for an ESP32 or for generations A and C, and for no slow one of these: a board that nobody asks for
        only takes time to start.
        """
        letters = "abc" if every_case else "b"
        few = workers if every_case else -(-workers // 3)
        counts = {"a": few, "b": workers, "c": few, "a2013": int(every_case)}
        slots: list[Slot] = [CoreSlot(QUICK, letter) for letter, count in counts.items() for _ in range(count)]
        slots += [CoreSlot(1.0, letter) for letter in letters]
        slots += [CoreSlot(QUICK, revision="black"), CoreSlot(QUICK, locked=False)]
        slots += [CoreSlot(QUICK, letter, joined=True) for letter in letters]
        slots += [CoreSlot(1.0, letter, joined=True) for letter in ("abcb" if every_case else "b")]
        slots += [Esp32Slot(QUICK) for _ in range(workers if every_case else 2 * few)]
        slots += [Esp32Slot(1.0), *([Esp32Slot(QUICK, fed_by_board=True)] if every_case else [])]
        return cls(slots, manifest)

    def asked_for(self, wanted: Iterable[Wanted]) -> RackPlan:
        """The same without the boards that nobody asks for: each case takes one that fits, while there are any."""
        left: list[Slot] = list(self.slots)
        taken: list[Slot] = []
        for kind, tags in wanted:
            fits = (slot for slot in left if {"board": kind, **tags}.items() <= slot.abilities.items())
            if slot := next(fits, None):
                left.remove(slot)
                taken.append(slot)
        return replace(self, slots=sorted(taken, key=self.slots.index))


class VirtualRack:
    """A rack in a folder of its own; starting and stopping is entering and leaving the context."""

    def __init__(self, plan: RackPlan, *, state: Path | None = None):
        self.plan = plan
        self.slots = dict(_numbered(plan.slots))
        self.coordinator = ""
        self.boards: dict[str, Told] = {}
        self.relay: Told = {}
        self.cloud: Told = {}
        self.updates: Told = {}
        self._state = state
        self._lock: FolderLock | None = None
        self._coils: dict[str, int] = {}
        self._folder: Path | None = None
        self._children: Children | None = None

    @property
    def places(self) -> list[str]:
        """Names of its places."""
        return list(self.slots)

    def __enter__(self) -> VirtualRack:
        self._lock = hold_state(self._state) if self._state is not None else None
        self._folder = Path(tempfile.mkdtemp(prefix="rig-rack-"))
        self._children = Children(self._folder)
        try:
            self._start(self._folder, self._children)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def dead(self) -> list[Child]:
        """Processes that died by themselves."""
        return self._children.dead() if self._children is not None else []

    def revive(self) -> None:
        """Start what died again, on the ports it had; what dies at once is left alone for a while."""
        dead = {child.name: child for child in self.dead() if time.monotonic() - child.born > REVIVAL_SECONDS}
        for name, child in dead.items():
            if self._children is None or (name == "exporter" and "coordinator" in {c.name for c in self.dead()}):
                continue
            if name in self.boards and not self._is_fed(name):
                self._children.restart(child, "--power", "off")
                continue
            fresh = self._children.restart(child)
            if name == "coordinator":
                _wait_for_port(fresh, self.coordinator, Deadline(READY_SECONDS, Clock()))
                self._make_places()

    def _is_fed(self, place: str) -> bool:
        """Whether the relay feeds a board; one whose relay is gone is: its contacts rest closed."""
        contact = Contact(HOST, self.relay["modbus"]["port"], self._coils[place], inverted=False, board=place)
        try:
            return contact.is_closed()
        except LabFault:
            return True
        finally:
            contact.close()

    def stop(self) -> None:
        """End every process and remove the folder, all but the logs of twins that broke: people are told of those."""
        if self._children is not None:
            self._children.stop()
        if self._lock is not None:
            self._lock.close()
        if self._folder is None:
            return
        if any(self._folder.glob(f"*/{LOG}")):
            _keep_logs(self._folder)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def ready_line(self) -> dict[str, Any]:
        """What `rig up --json` prints."""
        return {
            "ready": True,
            "coordinator": self.coordinator,
            "places": self.places,
            "boards": self.boards,
            "relay": self.relay,
            "cloud": self.cloud,
            "updates": self.updates,
        }

    # -- start-up ------------------------------------------------------------------------------------------------------

    def _start(self, folder: Path, children: Children) -> None:
        deadline = Deadline(READY_SECONDS, Clock())
        site = Site(folder, self._state or folder, Manifest.load(manifest_path(self.plan.manifest)), self.plan.seed)
        self.coordinator = f"{HOST}:{free_port(HOST)}"
        coordinator = children.start("coordinator", [_script("labgrid-coordinator"), "-l", self.coordinator])
        self._start_cloud(children, site, deadline)
        self._start_updates(children, site, deadline)
        self._start_boards(children, site, deadline)
        self._start_relay(children, site, deadline)
        groups = {}
        for place, slot in self.slots.items():
            groups[place] = slot.exports(self.boards[place], self._coils[place], site)
        (folder / "exporter.yaml").write_text(json.dumps(groups, indent=1))
        exporter = [_script("labgrid-exporter"), "-c", self.coordinator, "-n", "virtual", "--hostname", HOST]
        _wait_for_port(coordinator, self.coordinator, deadline)
        children.start("exporter", [*exporter, "exporter.yaml"])
        self._make_places()
        with Coordinator(self.coordinator) as session:
            for place, slot in self.slots.items():
                _wait_for_resources(session, place, slot.resources, children, deadline)

    def _start_cloud(self, children: Children, site: Site, deadline: Deadline) -> None:
        """The rack's one Spark cloud, on a port of its own: another rack may start in the same moment."""
        if not any(slot.kind == "spark-core" for slot in self.plan.slots):
            return
        site.core_keys.mkdir(exist_ok=True)
        keys = ("--server-key", str(site.state / "spark-server.pem"), "--core-keys", str(site.core_keys))
        addresses = ("--listen", f"{HOST}:0", "--control", str(socket_in(site.folder, "cloud")))
        cloud = children.start("cloud", [*_rig(), "cloud", "spark", *addresses, *keys, "--json"])
        self.cloud = site.cloud = {key: value for key, value in cloud.ready(deadline).items() if key != "ready"}
        cloud.again_by += _at(self.cloud, "listen")
        site.cloud_record = ServerRecord(bytes.fromhex(self.cloud["public_key"]), None).pack()

    def _start_updates(self, children: Children, site: Site, deadline: Deadline) -> None:
        """The rack's one HTTPS update server."""
        if not any(slot.kind == "esp32" for slot in self.plan.slots):
            return
        ports = ("--listen", f"{HOST}:0", "--time", f"{HOST}:0", "--control", str(socket_in(site.folder, "updates")))
        names = [f"--host={name}={authority}" for name, authority in UPDATE_HOSTS.items()]
        state = ("--state", str(site.state / "updates"))
        server = children.start("updates", [*_rig(), "cloud", "https", *ports, *names, *state, "--json"])
        self.updates = site.updates = {key: value for key, value in server.ready(deadline).items() if key != "ready"}
        server.again_by += _at(self.updates, "listen", "time")

    def _start_boards(self, children: Children, site: Site, deadline: Deadline) -> None:
        twins = {}
        for number, (place, slot) in enumerate(self.slots.items()):
            command = slot.command(number, site.state / place, site)
            control = str(socket_in(site.folder, place))
            twins[place] = children.start(place, [*_rig(), *command, "--control", control])
        for place, twin in twins.items():
            told = twin.ready(deadline)
            self.boards[place] = {key: value for key, value in told.items() if key not in ("ready", "public_key")}
            for port in self.slots[place].ports:
                twin.again_by = [*twin.again_by, f"--{port}-port", str(told[port]["port"])]

    def _start_relay(self, children: Children, site: Site, deadline: Deadline) -> None:
        wires: list[str] = []
        for place, slot in self.slots.items():
            self._coils[place] = len(wires)
            wires += [f"--wire={line}@{self.boards[place]['control']['address']}" for line in slot.lines]
        relay = children.start("relay", [*_rig(), "twin", "relay", *wires])
        told = relay.ready(deadline)
        self.relay = site.relay = {"modbus": told["modbus"], "http": told["http"]}
        ports = ("--modbus-port", told["modbus"]["port"], "--http-port", told["http"]["port"])
        relay.again_by = [*relay.again_by, *map(str, ports)]

    def _make_places(self) -> None:
        """Make the places that the coordinator does not know: it saves them four times a minute only."""
        with Coordinator(self.coordinator) as session:
            known = session.places()
            for number, (place, slot) in enumerate(self.slots.items()):
                if place not in known:
                    tags = {**slot.abilities, **slot.tags(self.boards[place]), "seed": str(self.plan.seed + number)}
                    session.add_place(place, patterns=[f"virtual/{place}/*"], tags=tags)


def _numbered(slots: Sequence[Slot]) -> Iterator[tuple[str, Slot]]:
    """Slots by the names of their places, each kind counted from 1."""
    counts: dict[str, int] = {}
    for slot in slots:
        counts[slot.prefix] = counts.get(slot.prefix, 0) + 1
        yield f"{slot.prefix}-{counts[slot.prefix]:02d}", slot


def _keep_logs(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.name != LOG:
            path.unlink()


def _at(told: Told, *ports: str) -> list[str]:
    """Options that have a server listen where it said that it does, whatever is told before."""
    return [word for port in ports for word in (f"--{port}", format_address(told[port]["host"], told[port]["port"]))]


def _rig() -> list[str]:
    return [sys.executable, "-m", "rig"]


def _script(name: str) -> str:
    path = Path(sys.executable).parent / name
    found = str(path) if path.exists() else shutil.which(name)
    if found is None:
        raise LabFault(f"{name} is not installed", hint="pip install labgrid")
    return found


def _wait_for_port(child: Child, address: str, deadline: Deadline) -> None:
    place = read_address(address, "the coordinator", DEFAULT_COORDINATOR)
    while True:
        try:
            socket.create_connection(place, timeout=1).close()
            return
        except OSError:
            if child.process.poll() is not None or not deadline.left():
                raise LabFault(f"{child.name} did not become ready: {child.last_words()}") from None
            time.sleep(0.05)


def _wait_for_resources(
    session: Coordinator, place: str, resources: set[str], children: Children, deadline: Deadline
) -> None:
    while not session.resources_of(place) >= resources:
        dead = children.dead()
        if dead or not deadline.left():
            deaths = "; ".join(child.obituary() for child in dead)
            raise LabFault(deaths or f"the exporter does not offer the resources of {place}")
        time.sleep(0.05)
