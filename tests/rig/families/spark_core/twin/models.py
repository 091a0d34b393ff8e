"""Models to test against: a Core in memory behind a pyusb-shaped device, and a Core served on real ports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.control.address import ControlAddress
from rig.control.control_socket import ControlSocket
from rig.families.spark_core.firmware.identity import CoreCatalogue
from rig.families.spark_core.formats.flash import plausible_first_word
from rig.families.spark_core.twin.core import DEFAULT_UID, Core
from rig.families.spark_core.twin.flash_contents import RUNNING, shipped
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.process import CoreProcess
from rig.firmware.checkout import manifest_path
from rig.firmware.manifest import Manifest
from tests.rig.control.control_ports import door_in
from tests.rig.loop_thread import LoopThread

MANIFEST = Manifest.load(manifest_path())
ROLES = MANIFEST.roles("spark-core")
CATALOGUE = CoreCatalogue(image for image in MANIFEST.images("spark-core") if plausible_first_word(image.data))
RUNNING_FLAGS = RUNNING.pack()


def shipped_memory() -> CoreMemory:
    """Flash of a board that left the factory."""
    return shipped(ROLES)


def core_in_memory(memory: CoreMemory | None = None, *, generation: str = "b") -> Core:
    """A Core without power, as it left the factory."""
    return Core(memory or shipped_memory(), CATALOGUE.identify, generation=generation)


@dataclass
class Served:
    """A Core on real ports, and the model behind them (touch it through `call` only)."""

    process: CoreProcess
    loop: LoopThread
    host: str
    usbip_port: int
    control: ControlAddress

    def call(self, name: str, *args: Any) -> Any:
        """Call a handler of the control port on the server's own thread."""
        return self.loop.call(self.process.control_port._handlers[name], dict(args[0]) if args else {})

    def power(self, on: bool) -> None:
        """Switch the supply."""
        self.call("power", {"on": on})


@contextmanager
def served_core(
    state: Path, *, time_scale: float = 0, powered: bool = True, control_socket: ControlSocket | None = None
) -> Iterator[Served]:
    """Serve a Core from a thread of this process, so that a test sees the model too."""
    state.mkdir(parents=True, exist_ok=True)
    if not (state / "internal.bin").exists():
        memory = shipped_memory()
        (state / "internal.bin").write_bytes(memory.internal.dump())
        (state / "external.bin").write_bytes(memory.external.dump())
    loop = LoopThread()
    process = CoreProcess(state=state, identify=CATALOGUE.identify, uid=DEFAULT_UID, time_scale=time_scale, seed=0)
    control_socket = control_socket or door_in(state)
    starting = process.start(host="127.0.0.1", usbip_port=0, console_port=0, control=control_socket, powered=powered)
    ready = loop.run(starting)
    try:
        yield Served(process, loop, "127.0.0.1", ready["usbip"]["port"], control_socket.address)
    finally:
        loop.call(process.close)
        loop.close()


def settle(core: Core) -> None:
    """Let a Core run until nothing is due any more."""
    core.advance(math.inf)
