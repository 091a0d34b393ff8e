"""A Core's model and our cloud in memory, on a clock that jumps to what is due next: minutes pass in milliseconds."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import selectors
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rig.errors import LabFault
from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.core_keys import CoreKeys
from rig.families.spark_core.servers.disturbances import Disturbance
from rig.families.spark_core.servers.faults import Fault
from rig.families.spark_core.trust.core_key import make_core_key
from rig.families.spark_core.trust.server_key import public_der
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Eeprom, Radio
from rig.twin.tcp import Link
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID, SERVER_KEY
from tests.rig.families.spark_core.twin.models import ROLES, RUNNING_FLAGS

CORE_KEY = make_core_key()
#: Eight chunks of 256 bytes that are all different, behind vectors that a Core accepts.
IMAGE = ROLES["old"].data[:8] + bytes(itertools.islice(itertools.cycle(range(251)), 2040))
LATENCY_SECONDS = 0.001
#: As on the machine's clock, a board is looked at a little after something was due.
TICK_SECONDS, MOST_STEPS = 1e-6, 50


class Jumps(selectors.SelectSelector):
    """Waits for nothing: time goes on by as much as somebody would have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and nothing is due any more"
        self.now += max(timeout, 0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is its own."""

    def __init__(self) -> None:
        self._jumps = Jumps()
        super().__init__(self._jumps)

    async def getaddrinfo(self, host, port, **how):
        """At once: on a thread nobody here would wait for it."""
        return socket.getaddrinfo(host, port, **how)

    def time(self) -> float:
        return self._jumps.now


class Wire(asyncio.Transport):
    """The cloud's socket: bytes reach the Core after a moment, as the Core's reach the cloud."""

    def __init__(self, world: VirtualWorld, protocol: asyncio.Protocol):
        super().__init__()
        self._world, self.protocol = world, protocol
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self if name == "socket" else default

    def setsockopt(self, *_option: int) -> None:
        """As a socket."""

    def write(self, data: Any) -> None:
        self._world.later(self._world.to_core, self, "data", bytes(data))

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            self._world.later(self._world.to_core, self, "lost", b"")
            self._world.later(self.protocol.connection_lost, None)


class VirtualWorld:
    """One Core, one cloud; `cloud.disturbances` is the network between them."""

    def __init__(self, version: str, loop: VirtualLoop, folder: Path):
        self.loop = loop
        self.cloud = SparkCloud(SERVER_KEY, CoreKeys(folder))
        self.cloud.core_keys.add(CORE_ID, CORE_KEY.public_pem.encode())
        self.events: list[dict[str, Any]] = []
        self.cloud.bus.subscribe(self.events.append)
        self.core = Core(
            _shipped(),
            lambda area: Identity("new" if area[: len(IMAGE)] == IMAGE else "old", "ok", version=version),
            uid=bytes.fromhex(CORE_ID),
            radio=Radio(Eeprom(profiles=["lab"], mac="08:00:28:01:02:03")),
            dialect=Dialect.of(version),
        )
        self.core.radio.on_order = self._order
        self.core.most_steps = MOST_STEPS
        self._on_its_way: deque[Callable[[], object]] = deque()
        self._wire: Wire | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def stored(self) -> bytes:
        """What lies where updates are put, as long as the image is."""
        return self.core.memory.external.read(layout.OTA_ADDRESS, len(IMAGE))

    async def online(self) -> None:
        """Power, and wait until the Core has been greeted."""
        self._watch = self.loop.create_task(self.cloud.watch_silence())
        self.core.power_on(self.loop.time())
        self.wake()
        await self.cloud.arrival(CORE_ID, 60)
        await asyncio.sleep(0.5)

    async def pass_minutes(self, minutes: float, *, every: float, do: Callable[[], object] = lambda: None) -> None:
        """Let time pass, and do something again and again."""
        for _ in range(int(minutes * 60 / every)):
            do()
            await asyncio.sleep(every)

    def named(self, name: str) -> int:
        """How many events of this name the cloud has told."""
        return sum(event["event"] == name for event in self.events)

    def later(self, call: Callable[..., object], *args: Any) -> None:
        """After a moment, and in order: timers that are due together come in any."""
        self._on_its_way.append(functools.partial(call, *args))
        self.loop.call_later(LATENCY_SECONDS, lambda: self._on_its_way.popleft()())

    def to_core(self, wire: Wire, what: str, data: bytes) -> None:
        """Something reaches the Core; what is for a connection that it has no more is lost."""
        if wire is self._wire:
            self.core.network(what, data, self.loop.time())
            self.wake()

    def wake(self) -> None:
        """Let what is due happen on the board, and come back for the next."""
        self.core.advance(self.loop.time())
        if self._timer is not None:
            self._timer.cancel()
        due = self.core.due()
        self._timer = self.loop.call_at(due + TICK_SECONDS, self.wake) if due != math.inf else None

    def _order(self, order: str, what: Any) -> None:
        if order == "connect":
            self.later(self._connect)
        elif order == "send" and self._wire is not None:
            self.later(self._wire.protocol.data_received, what)
        elif order in ("close", "vanish"):
            wire, self._wire = self._wire, None
            if order == "close" and wire is not None:
                self.later(wire.protocol.connection_lost, None)

    def _connect(self) -> None:
        if self.core.radio.link is Link.CONNECTING:
            protocol = self.cloud.accept()
            self._wire = Wire(self, protocol)
            self.core.network("open", b"", self.loop.time())
            protocol.connection_made(self._wire)
            self.wake()


@dataclass
class Updated:
    """What became of one update: what the cloud said, and what lies in the Core."""

    told: dict[str, Any]
    stored: bytes
    disturbed: int

    @property
    def is_honest(self) -> bool:
        """What is called a success is one."""
        return not self.told["ok"] or self.stored == IMAGE


def updated(version: str, fast: bool, *disturbances: Disturbance, fault: str = "") -> Updated:
    """Update a Core once over such a network, with a fault of the cloud's own at chunk 3 if one is named."""

    async def work(world: VirtualWorld) -> Updated:
        for disturbance in disturbances:
            world.cloud.disturbances.add(replace(disturbance))
        if fault:
            world.cloud.faults.add(Fault(fault, chunk=3))
        try:
            await world.online()
            result = await world.cloud.flash(CORE_ID, IMAGE, fast=fast)
        except LabFault as error:  # it did not even come online
            result = {"ok": False, "reason": str(error)}
        return Updated(result, world.stored, world.named("disturbed"))

    return in_a_virtual_world(version, work)


def in_a_virtual_world(version: str, work: Callable[[VirtualWorld], Coroutine[Any, Any, Any]]) -> Any:
    """Run `work` in a world of its own; an hour of its time is the most it gets."""

    async def within(loop: VirtualLoop) -> Any:
        world = VirtualWorld(version, loop, Path(folder))
        async with asyncio.timeout(3600):
            return await work(world)

    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(within(runner.get_loop()))  # type: ignore[arg-type]


def _shipped() -> CoreMemory:
    memory = CoreMemory()
    internal, external = bytearray(memory.internal.dump()), bytearray(memory.external.dump())
    for address, data in ((layout.FLAGS_ADDRESS, RUNNING_FLAGS), (layout.APP_ADDRESS, ROLES["old"].data)):
        start = address - layout.INTERNAL_BASE
        internal[start : start + len(data)] = data
    sector = ServerRecord(public_der(SERVER_KEY), "10.0.0.1").pack()
    for address, data in ((layout.SERVER_KEY_ADDRESS, sector), (layout.CORE_KEY_ADDRESS, CORE_KEY.private_der)):
        external[address : address + len(data)] = data
    memory.internal.load(bytes(internal))
    memory.external.load(bytes(external))
    return memory
