"""The virtual rack: twins, a relay, a real labgrid exporter and a real coordinator, on free ports of loopback."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rig.drivers.relay import Contact
from rig.errors import LabFault
from rig.firmware.manifest import Manifest
from rig.formats.spark_keys import ServerRecord
from rig.lab.checkout import manifest_path
from rig.lab.children import Child, Children
from rig.lab.coordinator import Coordinator
from rig.lab.factory import Belongings, ship_core, shipped_public_key
from rig.lab.virtual_places import LINES, RESOURCES, CoreSlot, exports, tags
from rig.ports import free_port, is_free
from rig.servers.spark.cloud import PORT
from rig.trust.core_key import CoreKey, make_core_key

HOST = "127.0.0.1"
READY_SECONDS = 60.0
REVIVAL_SECONDS = 1.0
#: Time scale of boards whose exact timing does not matter.
QUICK = 0.1


@dataclass(frozen=True, slots=True)
class RackPlan:
    """What to build: a Core for each slot, shipped with the images of `manifest` (None: the rig's own)."""

    slots: Sequence[CoreSlot]
    manifest: Path | None = None
    seed: int = 0

    @classmethod
    def for_suites(cls, workers: int, manifest: Path | None, spares: int = 0) -> RackPlan:
        """A quick Core of each generation for each worker, and one of every other kind that some suite asks for.

        Cuts aimed at a window need a board as slow as a real one; `spares` more of those know a network, for cuts
        that cost a radio.
        """
        quick = [CoreSlot(QUICK, generation) for generation in "ABC" for _ in range(workers)]
        real = [CoreSlot(1.0, generation) for generation in "ABC"]
        others = [CoreSlot(QUICK, revision="black"), CoreSlot(QUICK, locked=False)]
        online = [CoreSlot(QUICK, generation, joined=True) for generation in "ABC"]
        online += [CoreSlot(1.0, generation, joined=True) for generation in "ABC" + "B" * spares]
        return cls(quick + real + others + online, manifest)


class VirtualRack:
    """A rack in a folder of its own; starting and stopping is entering and leaving the context."""

    def __init__(self, plan: RackPlan, *, state: Path | None = None):
        self.plan = plan
        self.places = [f"core-{number:02d}" for number in range(1, len(plan.slots) + 1)]
        self.coordinator = ""
        self.boards: dict[str, dict[str, Any]] = {}
        self.relay: dict[str, Any] = {}
        self.cloud: dict[str, Any] = {}
        self._state = state
        self._core_key = CoreKey(b"", "")
        self._server = b""
        self._folder: Path | None = None
        self._children: Children | None = None

    def __enter__(self) -> VirtualRack:
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
                _wait_for_port(fresh, self.coordinator, time.monotonic() + READY_SECONDS)
                self._make_places()

    def _is_fed(self, place: str) -> bool:
        """Whether the relay feeds a board; one whose relay is gone is: its contacts rest closed."""
        coil = self.places.index(place) * len(LINES)
        contact = Contact(HOST, self.relay["modbus"]["port"], coil, inverted=False, board=place)
        try:
            return contact.is_closed()
        except LabFault:
            return True
        finally:
            contact.close()

    def stop(self) -> None:
        """End every process and remove the folder."""
        if self._children is not None:
            self._children.stop()
        if self._folder is not None:
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
        }

    # -- start-up ------------------------------------------------------------------------------------------------------

    def _start(self, folder: Path, children: Children) -> None:
        deadline = time.monotonic() + READY_SECONDS
        manifest = Manifest.load(manifest_path(self.plan.manifest))
        self._core_key = make_core_key()
        self.coordinator = f"{HOST}:{free_port(HOST)}"
        coordinator = children.start("coordinator", [_script("labgrid-coordinator"), "-l", self.coordinator])
        self._start_cloud(children, folder, deadline)
        twins = [self._start_core(children, number, manifest, folder) for number in range(len(self.places))]
        for place, twin in zip(self.places, twins, strict=True):
            told = twin.ready(deadline)
            self.boards[place] = {key: told[key] for key in ("usbip", "control", "console", "core_id", "generation")}
            for port in ("usbip", "control", "console"):
                twin.again_by = [*twin.again_by, f"--{port}-port", str(told[port]["port"])]
        wires = [
            f"--wire={line}@{board['control']['host']}:{board['control']['port']}"
            for board in self.boards.values()
            for line in LINES
        ]
        relay = children.start("relay", [*_rig(), "twin", "relay", *wires])
        told = relay.ready(deadline)
        self.relay = {"modbus": told["modbus"], "http": told["http"]}
        ports = ("--modbus-port", told["modbus"]["port"], "--http-port", told["http"]["port"])
        relay.again_by = [*relay.again_by, *map(str, ports)]
        (folder / "exporter.yaml").write_text(json.dumps(exports(HOST, self.boards, self.relay, self.cloud), indent=1))
        exporter = [_script("labgrid-exporter"), "-c", self.coordinator, "-n", "virtual", "--hostname", HOST]
        _wait_for_port(coordinator, self.coordinator, deadline)
        children.start("exporter", [*exporter, "exporter.yaml"])
        self._make_places()
        with Coordinator(self.coordinator) as session:
            for place in self.places:
                _wait_for_resources(session, place, children, deadline)

    def _start_cloud(self, children: Children, folder: Path, deadline: float) -> None:
        """The rack's one Spark cloud, on the port that Cores know where that is free."""
        port = PORT if is_free(HOST, PORT) else free_port(HOST)
        keys = ("--server-key", str((self._state or folder) / "spark-server.pem"), "--core-keys", "core_keys")
        addresses = ("--listen", f"{HOST}:{port}", "--control", f"{HOST}:{free_port(HOST)}")
        cloud = children.start("cloud", [*_rig(), "cloud", "spark", *addresses, *keys, "--json"])
        (folder / "core_keys").mkdir(exist_ok=True)
        self.cloud = {key: value for key, value in cloud.ready(deadline).items() if key != "ready"}
        self._server = ServerRecord(bytes.fromhex(self.cloud["public_key"]), None).pack()

    def _make_places(self) -> None:
        """Make the places that the coordinator does not know: it saves them four times a minute only."""
        with Coordinator(self.coordinator) as session:
            known = session.places()
            for number, place in enumerate(self.places):
                if place not in known:
                    told = tags(self.plan.slots[number], self.boards[place], self.plan.seed + number)
                    session.add_place(place, patterns=[f"virtual/{place}/*"], tags=told)

    def _start_core(self, children: Children, number: int, manifest: Manifest, folder: Path) -> Child:
        place = self.places[number]
        state = (self._state or folder) / place
        slot = self.plan.slots[number]
        networks = ("rig",) if slot.joined else ()
        ship_core(state, manifest, slot.generation, Belongings(self._core_key.private_der, self._server, networks))
        if pem := shipped_public_key(state):
            (folder / "core_keys" / f"{core_id(number)}.pub.pem").write_text(pem)
        return children.start(
            place,
            [
                *_rig(),
                *("twin", "spark-core", "--state", str(state), "--core-id", core_id(number)),
                *("--time-scale", str(slot.time_scale), "--seed", str(self.plan.seed + number)),
                *("--manifest", str(manifest.path), "--generation", slot.generation),
                *("--cloud", f"{HOST}:{self.cloud['listen']['port']}"),
                *(["--locked"] if slot.locked else []),
            ],
        )


def core_id(number: int) -> str:
    """The id of the `number`-th virtual Core."""
    return f"48ff6c06506755502631{number + 1:04x}"


def _rig() -> list[str]:
    return [sys.executable, "-m", "rig"]


def _script(name: str) -> str:
    path = Path(sys.executable).parent / name
    found = str(path) if path.exists() else shutil.which(name)
    if found is None:
        raise LabFault(f"{name} is not installed", hint="pip install labgrid")
    return found


def _wait_for_port(child: Child, address: str, deadline: float) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if child.process.poll() is not None or time.monotonic() > deadline:
                raise LabFault(f"{child.name} did not become ready: {child.last_words()}") from None
            time.sleep(0.05)


def _wait_for_resources(session: Coordinator, place: str, children: Children, deadline: float) -> None:
    while not session.resources_of(place) >= RESOURCES:
        dead = children.dead()
        if dead or time.monotonic() > deadline:
            deaths = "; ".join(child.obituary() for child in dead)
            raise LabFault(deaths or f"the exporter does not offer the resources of {place}")
        time.sleep(0.05)
