"""An ESP32 in memory whose application finds a server in memory: real flash and second stage, real TLS, no sockets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.details import EspDetails
from rig.families.esp32.firmware.images import App, build_app
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot import BootConfig
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS, TABLE_OFFSET, Partition, PartitionTable
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.firmware.manifest import Image
from rig.trust.identity import Identity
from rig.trust.tls.context import TlsSettings
from rig.twin.network import RESET, UNKNOWN
from rig.twin.steps import Program, Work
from tests.rig.families.esp32.twin.app.app_server import HOST, Answer, Answers, Asked, Peer, issued, root_pem, serving

BOOTLOADER = b"\xe9" + bytes(31)
OLD, NEW = App(seed="old", version="1.0.0"), App(seed="new", version="2.0.0", irom=90_000)


@cache
def built(app: App, length: int | None = None) -> bytes:
    return build_app(app, length)


class World:
    """One board and the servers its names lead to."""

    def __init__(
        self,
        behaviour: EspBehaviour,
        *,
        answers: Answers | None = None,
        layout: str = "two_ota_large",
        chip: Chip | None = None,
        new: EspBehaviour | None = None,
        time_scale: float = 1.0,
    ):
        self.behaviour = behaviour
        self.table: PartitionTable = LAYOUTS[layout]
        self.memory = Esp32Memory()
        self.images: dict[bytes, Image] = {}
        self.files: dict[str, str] = {"pin": root_pem("a"), "bundle": root_pem("a")}
        self.hosts: dict[str, Identity | None] = {HOST: issued()}
        #: How handshakes go, where it is said.
        self.tls: dict[str, TlsSettings] = {}
        #: Hosts that cannot be reached, and why; None: nothing answers at all.
        self.gone: dict[str, bytes | None] = {}
        #: Hosts that take a connection and say nothing.
        self.silent: set[str] = set()
        self.answers = answers or serving(built(NEW))
        self.asked: list[Asked] = []
        self.peers: list[Peer] = []
        self.console = ""
        self.orders: list[str] = []
        chip = chip or Chip()
        config = BootConfig(chip=chip.model, rollback=behaviour.rollback, release=behaviour.idf_release)
        self.board = Esp32(
            self.memory, chip, find=self._find, bootloaders=lambda _area, _chip: config,
            trust=self.files.get, time_scale=time_scale,
        )  # fmt: skip
        self.board.uart.on_output = self._print
        self.board.tcp.on_order = self._order
        self._waiting: list[tuple[str, bytes]] = []
        self._peer: Peer | None = None
        self.put(0x1000, BOOTLOADER)
        self.put(TABLE_OFFSET, self.table.pack())
        self.install(0, OLD, behaviour)
        self.knows(NEW, new or behaviour)

    # -- flash -------------------------------------------------------------------------------------------------------

    def put(self, address: int, data: bytes) -> None:
        contents = bytearray(self.memory.flash.dump())
        contents[address : address + len(data)] = data
        self.memory.flash.load(bytes(contents))

    def knows(self, app: App, behaviour: EspBehaviour, runs: str = "ok") -> bytes:
        """Make an image one whose behaviour is known."""
        data = built(app)
        self.images[data] = Image(app.seed, "esp32", app.version, data, runs, EspDetails(esp32=behaviour))
        return data

    def install(self, slot: int, app: App, behaviour: EspBehaviour, runs: str = "ok") -> None:
        self.put(self.slot(slot).offset, self.knows(app, behaviour, runs))

    def record(self, sector: int, record: Record | None) -> None:
        raw = b"\xff" * 32 if record is None else record.pack()
        self.put(self._otadata + sector * otadata.SECTOR, raw)

    def slot(self, number: int) -> Partition:
        found = self.table.slot(number)
        assert found is not None
        return found

    def in_slot(self, number: int, length: int | None = None) -> bytes:
        return self.memory.flash.read(self.slot(number).offset, length or self.slot(number).size)

    @property
    def records(self) -> list[Record]:
        raw = self.memory.flash.read(self._otadata, otadata.SIZE)
        return list(otadata.read_records(raw))

    @property
    def _otadata(self) -> int:
        where = self.table.otadata
        assert where is not None
        return where.offset

    # -- time --------------------------------------------------------------------------------------------------------

    def power_on(self) -> World:
        self.board.power_on(self.board.time)
        return self

    def run(self, seconds: float = 60.0, until: str | None = None) -> World:
        """Let everything happen for so long, or until an event of that name is new."""
        end, seen = self.board.time + seconds, len(self.board.events)
        while not (until and any(event.name.startswith(until) for event in self.board.events[seen:])):
            if self._waiting:
                what, data = self._waiting.pop(0)
                self.board.network(what, data, self.board.time)
            elif self.board.due() > end or not self.board.step():
                self.board.advance(max(end, self.board.time))
                break
        return self

    def boot(self, seconds: float = 10.0) -> str | None:
        """Power off and on; which slot's application started."""
        self.board.power_off(self.board.time)
        self.board.power_on(self.board.time)
        self.run(seconds, until="start:")
        return self.board.running

    @property
    def events(self) -> list[str]:
        return [event.name for event in self.board.events]

    @property
    def work(self) -> list[tuple[str, int, int]]:
        """Kind, address and bytes of every stretch of flash work since power-on."""
        return [(run.kind, run.address, run.unit * run.count) for run in self.memory.journal.runs]

    def _find(self, area: bytes) -> Image | None:
        return next((image for data, image in self.images.items() if area.startswith(data)), None)

    def _print(self, data: bytes) -> None:
        self.console += data.decode()

    # -- network -----------------------------------------------------------------------------------------------------

    def took(self) -> float:
        """Seconds from the last check's begin to its end."""
        at = {event.name.partition(":")[0]: event.at for event in self.board.events}
        return at["checked"] - at["check"]

    def late(self) -> None:
        """The server sends what it had kept for later."""
        assert self._peer is not None
        self._waiting.append(("data", self._peer.late()))

    def _order(self, order: str, what: object) -> None:
        self.orders.append(order)
        if order == "connect":
            assert isinstance(what, tuple)
            self._connect(what[0])
        elif order == "send" and self._peer is not None:
            assert isinstance(what, bytes)
            data, ends = self._peer.receive(what)
            if data:
                self._waiting.append(("data", data))
            if ends:
                self._waiting.append(("lost", RESET if self._peer.by == "RST" else b""))
        elif order in ("close", "vanish"):
            self._waiting.clear()

    def _connect(self, name: str) -> None:
        self._waiting.clear()
        self._peer = None
        if name not in self.hosts or name in self.gone:
            why = self.gone.get(name, UNKNOWN)
            if why is not None:
                self._waiting.append(("lost", why))
            return
        if name in self.silent:
            self._waiting.append(("open", b""))
            return
        answers = lambda asked: self.answers(asked)  # noqa: E731 (what they are now)
        self._peer = Peer(name, self.hosts[name], answers, self.asked, self.tls.get(name))
        self.peers.append(self._peer)
        self._waiting.append(("open", b""))


def https(**fields: object) -> EspBehaviour:
    """An image with the https-ota client."""
    known = {"client": "https-ota", "url": f"https://{HOST}/image.bin", "pins": ("pin",), "checks_every": 3600}
    return EspBehaviour.model_validate({**known, **fields})


def carry_out(program: Program, memory: Esp32Memory) -> Any:
    """All of a program's flash work, with no board around it. Raises PowerLost where the journal's fuse is."""
    while True:
        try:
            step = next(program)
        except StopIteration as end:
            return end.value
        if isinstance(step, Work):
            run = memory.journal.number(step.run)
            memory.perform(run, 0, run.count)


def world_of(behaviour: EspBehaviour, answers: Callable[[Asked], Answer] | None = None) -> World:
    """Slot 0 runs by record 1; nothing else was ever installed."""
    world = World(behaviour, answers=answers, new=behaviour.model_copy(update={"checks_at_boot": False}))
    world.record(0, Record.of(1, State.VALID if behaviour.rollback else State.UNDEFINED))
    return world


def checked(world: World, seconds: float = 120) -> str:
    """What the next look for updates comes to."""
    if not world.board.powered:
        world.power_on()
    seen = len(world.events)
    new = [name for name in world.run(seconds, until="checked:").events[seen:] if name.startswith("checked:")]
    return new[0].removeprefix("checked:") if new else "nothing"


def arduino(**fields: object) -> EspBehaviour:
    known = {"client": "arduino", "url": f"https://{HOST}/image.bin", "pins": ["pin"], "checks_every": 3600}
    return EspBehaviour.model_validate({**known, **fields})


FLEET = "ota.fleet.test"
PINS = ("lets-encrypt-x3", "dst-root-ca-x3", "lets-encrypt-r3", "isrg-root-x1", "cloudflare-origin-ca", "dtf-root-x1",
        "bundle")  # fmt: skip


def fleet(library: str, answers: Callable[[Asked], Answer] | None = None, **fields: object) -> World:
    """A device with a release of the library; every pin is a root of its own name."""
    address = {"url": f"https://{FLEET}/p?v=1"} if library.startswith("1.") else {"product": "prod-1"}
    known = {"client": "deploy-the-fleet", "fleet_release": library, "checks_every": 3600, **address}
    world = world_of(EspBehaviour.model_validate({**known, **fields}), answers)
    world.hosts = {}
    world.files |= {pin: root_pem(pin) for pin in PINS}
    return world


def serves(world: World, **roots: str) -> World:
    """Hosts by their first label, and under which root each is."""
    domain = "deploythefleet.io" if "sdk" in (world.behaviour.fleet_release or "") else "deploythefleet.com"
    for label, root in roots.items():
        host = f"{label}.fleet.test" if world.behaviour.url else f"{label}.{domain}"
        world.hosts[host] = issued(root, host)
    return world
