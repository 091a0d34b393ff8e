"""The virtual rack: twins, a relay, a real labgrid exporter and a real coordinator, on free ports of loopback."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rig.clock import Clock, Deadline
from rig.control.address import socket_in
from rig.drivers.stock_verbs import RESOURCES
from rig.errors import LabFault, Misuse
from rig.family.contract import family_of
from rig.family.rack_slot import HOST, RackServer, ReadyLine, Site, Slot
from rig.firmware.checkout import DEFAULT_COORDINATOR
from rig.firmware.run_firmware import checked_firmware
from rig.lab.example import write_environments
from rig.ports import format_address, free_port, read_address
from rig.rack.children import Child, Children
from rig.rack.fork_server import PYTHON_MODULE
from rig.rack.plan import RackPlan
from rig.rack.state import hold_state
from rig.state_folder import FolderLock
from rig.twin.real_time import LOG

READY_SECONDS = 60.0
REVIVAL_SECONDS = 1.0
#: Resources that are there once a board hangs on the exporter's own USB.
UNPLUGGED = {name for name, _ in RESOURCES.values()}


class VirtualRack:
    """A rack in a folder of its own; starting and stopping is entering and leaving the context."""

    def __init__(self, plan: RackPlan, *, state: Path | None = None):
        self.plan = plan
        self.slots = dict(_numbered(plan.slots))
        self.coordinator = ""
        #: labgrid's environment of its places: how the rig reaches their boards.
        self.environment = Path()
        self.boards: dict[str, ReadyLine] = {}
        self.relay: ReadyLine = {}
        #: What boards connect to, by name.
        self.servers: dict[str, ReadyLine] = {}
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
        from rig.drivers.relay import ModbusContact

        contact = ModbusContact(HOST, self.relay["modbus"]["port"], self._coils[place], inverted=False, board=place)
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
            "environment": str(self.environment),
            "places": self.places,
            "boards": self.boards,
            "relay": self.relay,
            **self.servers,
        }

    # -- start-up ------------------------------------------------------------------------------------------------------

    def _start(self, folder: Path, children: Children) -> None:
        deadline = Deadline(READY_SECONDS, Clock())
        self.coordinator = f"{HOST}:{free_port(HOST)}"
        coordinator = children.start("coordinator", [_script("labgrid-coordinator"), "-l", self.coordinator])
        with children.forked():
            children.load("rig.cli.main")
            site = Site(folder, self._state or folder, checked_firmware(self.plan.manifest), self.plan.seed)
            servers = self._start_servers(children, site)
            for program in programs(self.plan):
                children.load(program, site.manifest.path)
            from rig.rack import places  # labgrid takes as long to load as all those: it does meanwhile

            self._start_boards(children, site, servers, deadline)
            self._start_relay(children, site, deadline)
        kinds = dict.fromkeys(slot.kind for slot in self.plan.slots)
        self.environment = write_environments(folder, [family_of(kind).place for kind in kinds])
        groups = {}
        for place, slot in self.slots.items():
            groups[place] = slot.exports(self.boards[place], self._coils[place], site)
        (folder / "exporter.yaml").write_text(json.dumps(groups, indent=1))
        exporter = [_script("labgrid-exporter"), "-c", self.coordinator, "-n", places.EXPORTER, "--hostname", HOST]
        _wait_for_port(coordinator, self.coordinator, deadline)
        children.start("exporter", [*exporter, "exporter.yaml"])
        self._make_places()
        wanted = {place: resources.keys() - UNPLUGGED for place, resources in groups.items()}
        places.wait_for_resources(self.coordinator, wanted, children, deadline)

    def _start_servers(self, children: Children, site: Site) -> dict[RackServer, Child]:
        """What the boards connect to, one of each."""
        started = {}
        for server in _servers_of(self.plan.slots):
            children.load(server.program, site.manifest.path)
            control = str(socket_in(site.folder, server.name))
            started[server] = children.start(server.name, [*_python(server.command(site)), "--control", control])
        return started

    def _await_server(self, server: RackServer, child: Child, site: Site, deadline: Deadline) -> None:
        if server.name not in site.servers:
            ready_line = {key: value for key, value in child.ready(deadline).items() if key != "ready"}
            self.servers[server.name] = site.servers[server.name] = ready_line
            child.again_by = [*child.again_by, *_at(ready_line, *server.listens)]

    def _start_boards(
        self, children: Children, site: Site, servers: dict[RackServer, Child], deadline: Deadline
    ) -> None:
        """Each as soon as what it connects to is ready."""
        twins = {}
        for number, (place, slot) in enumerate(self.slots.items()):
            for server in slot.servers:
                self._await_server(server, servers[server], site, deadline)
            command = slot.command(number, site.state / place, site)
            control = str(socket_in(site.folder, place))
            twins[place] = children.start(place, [*_python(command), "--control", control])
        for place, twin in twins.items():
            ready_line = twin.ready(deadline)
            self.boards[place] = {key: value for key, value in ready_line.items() if key not in ("ready", "public_key")}
            for port in self.slots[place].ports:
                twin.again_by = [*twin.again_by, f"--{port}-port", str(ready_line[port]["port"])]

    def _start_relay(self, children: Children, site: Site, deadline: Deadline) -> None:
        if not self.slots:
            return
        wires: list[str] = []
        for place, slot in self.slots.items():
            self._coils[place] = len(wires)
            wires += [f"--wire={line}@{self.boards[place]['control']['address']}" for line in slot.lines]
        relay = children.start("relay", _python(["rig", "twin", "relay", *wires]))
        ready_line = relay.ready(deadline)
        self.relay = site.relay = {"modbus": ready_line["modbus"], "http": ready_line["http"]}
        ports = ("--modbus-port", ready_line["modbus"]["port"], "--http-port", ready_line["http"]["port"])
        relay.again_by = [*relay.again_by, *map(str, ports)]

    def _make_places(self) -> None:
        """Make the places that the coordinator does not know."""
        from rig.rack.places import make_places

        tags = {}
        for number, (place, slot) in enumerate(self.slots.items()):
            own_tags = slot.tags(self.boards[place])
            tags[place] = {**slot.abilities, **own_tags, "seed": str(self.plan.seed + number)}
        make_places(self.coordinator, tags)


def programs(plan: RackPlan) -> list[str]:
    """The modules that its processes run, in the order in which they start: nothing of a board that it has not."""
    servers = [server.program for server in _servers_of(plan.slots)]
    found = ["rig.cli.main", *servers, *(slot.program for slot in plan.slots), "rig.rack.relay"]
    return [module for module in dict.fromkeys(found) if module]


def _numbered(slots: Sequence[Slot]) -> Iterator[tuple[str, Slot]]:
    """Slots by the names of their places, each kind counted from 1."""
    counts: dict[str, int] = {}
    for slot in slots:
        counts[slot.prefix] = counts.get(slot.prefix, 0) + 1
        yield f"{slot.prefix}-{counts[slot.prefix]:02d}", slot


def _servers_of(slots: Sequence[Slot]) -> list[RackServer]:
    """Each once. Raises Misuse where two families bring one of the same name."""
    found: dict[str, RackServer] = {}
    for server in (server for slot in slots for server in slot.servers):
        if found.setdefault(server.name, server) is not server:
            raise Misuse(f"two kinds of boards bring a server called {server.name}", hint="start a rack for each kind")
    return list(found.values())


def _keep_logs(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.name != LOG:
            path.unlink()


def _at(ready_line: ReadyLine, *ports: str) -> list[str]:
    """Options that have a server listen where it said that it does, whatever is told before."""
    return [
        word
        for port in ports
        for word in (f"--{port}", format_address(ready_line[port]["host"], ready_line[port]["port"]))
    ]


def _python(command: list[str]) -> list[str]:
    """A module and its arguments, run."""
    return [*PYTHON_MODULE, *command]


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
                raise LabFault(f"{child.name} did not become ready: {child.last_line()}") from None
            time.sleep(0.05)
