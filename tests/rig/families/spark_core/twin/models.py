"""Models to test against: a Core in memory behind a pyusb-shaped device, and a Core served on real ports."""

from __future__ import annotations

import errno
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import usb.core

from rig.control.address import ControlAddress
from rig.control.control_socket import ControlSocket
from rig.families.spark_core.firmware.identity import CoreCatalogue
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags, plausible_first_word
from rig.families.spark_core.twin.core import DEFAULT_UID, Core
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.process import CoreProcess
from rig.firmware.checkout import manifest_path
from rig.firmware.manifest import Manifest
from rig.formats.usb import Setup
from tests.rig.control.control_ports import door_in
from tests.rig.loop_thread import LoopThread

MANIFEST = Manifest.load(manifest_path())
ROLES = MANIFEST.roles("spark-core")
CATALOGUE = CoreCatalogue(image for image in MANIFEST.images("spark-core") if plausible_first_word(image.data))
RUNNING_FLAGS = SystemFlags(nvmem=0, ota=layout.OTA_RUN, flashed=0).pack()


def shipped_memory() -> CoreMemory:
    """Flash of a board that left the factory."""
    memory = CoreMemory()
    internal = bytearray(memory.internal.dump())
    for address, data in ((layout.FLAGS_ADDRESS, RUNNING_FLAGS), (layout.APP_ADDRESS, ROLES["old"].data)):
        internal[address - layout.INTERNAL_BASE :][: len(data)] = data
        start = address - layout.INTERNAL_BASE
        internal[start : start + len(data)] = data
    external = bytearray(memory.external.dump())
    for address, role in ((layout.FACTORY_ADDRESS, "factory"), (layout.BACKUP_ADDRESS, "previous")):
        external[address : address + len(ROLES[role])] = ROLES[role].data
    memory.internal.load(bytes(internal))
    memory.external.load(bytes(external))
    return memory


def core_in_memory(memory: CoreMemory | None = None, *, generation: str = "b") -> Core:
    """A Core without power, as it left the factory."""
    return Core(memory or shipped_memory(), CATALOGUE.identify, generation=generation)


def into_dfu(core: Core) -> Core:
    """Power on with MODE held for 4 s of the model's time."""
    core.mode_held = True
    core.power_on(core.time)
    core.advance(core.time + 4)
    core.press_mode(False, core.time)
    core.advance(core.time + 1)
    return core


class ModelUsb:
    """What pyusb would hand out for a Core in memory; time is the model's own. A lost supply is errno 19."""

    def __init__(self, core: Core):
        self.core = core
        self.slept: list[float] = []
        self.iManufacturer, self.iSerialNumber = 1, 3
        self._ctx = SimpleNamespace(dispose=lambda _device: None)

    def sleep(self, seconds: float) -> None:
        """Let the model's time pass."""
        self.slept.append(seconds)
        self.core.advance(self.core.time + seconds)

    def __getitem__(self, index: int) -> list[SimpleNamespace]:
        dfu = {"bInterfaceClass": 0xFE, "bInterfaceSubClass": 1, "bInterfaceProtocol": 2, "bInterfaceNumber": 0}
        return [SimpleNamespace(bAlternateSetting=i, iInterface=4 + i, **dfu) for i in (0, 1)]

    def set_interface_altsetting(self, interface: int, alternate: int) -> None:
        """Configure and select."""
        self.ctrl_transfer(0x00, 9, 1, 0, b"")
        self.ctrl_transfer(0x01, 11, alternate, interface, b"")

    def ctrl_transfer(self, bmRequestType: int, bRequest: int, wValue: int = 0, wIndex: int = 0,
                      data_or_wLength: Any = 0, timeout: int = 0) -> Any:  # fmt: skip
        """One control transfer, and its status stage."""
        while self.core.busy and self.core.step():
            pass
        if self.core.usb is None:
            raise usb.core.USBError("gone", None, errno.ENODEV)
        to_host, data = bool(bmRequestType & 0x80), data_or_wLength
        length = data if isinstance(data, int) else len(data)
        setup = Setup(bmRequestType, bRequest, wValue, wIndex, length)
        reply = self.core.control(setup, b"" if to_host else bytes(data), self.core.time)
        if reply is None:
            raise usb.core.USBError("stall", None, errno.EPIPE)
        self.core.acknowledge(self.core.time)
        return array("B", reply) if to_host else length


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
