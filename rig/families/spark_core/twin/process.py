"""A Spark Core on real wires: USB/IP and a control port around the model, its flash kept in files.

Time is the machine's monotonic clock. Files change only when flash does, page by page and at most 50 ms late, so that
even a killed process leaves flash much as the board would have left it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rig.control.control_socket import ControlSocket
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.controls import CoreControls
from rig.families.spark_core.twin.core import Core, Identify
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Radio, factory_mac
from rig.families.spark_core.twin.state_files import EepromFile, boots_as_first_seen
from rig.formats.usb import Setup
from rig.ports import taking
from rig.state_folder import FolderLock, state_folder
from rig.twin.flash_file import FlashFile
from rig.twin.listening_port import Client, ListeningPort
from rig.twin.network import Network, Routes
from rig.twin.real_time import RealTime
from rig.twin.usbip_server import BUSID, UsbipServer


class CoreProcess:
    """Owns the model and its clock, and serves it until stopped."""

    def __init__(
        self,
        *,
        state: Path,
        identify: Identify,
        uid: bytes,
        time_scale: float,
        seed: int,
        boot_code: bytes = b"",
        routes: Routes | None = None,
        **kind: Any,
    ):
        """`boot_code` is what a blank board's first pages hold, `routes` where servers' names lead.

        `kind` is what else a Core is made with.
        """
        self._lock = FolderLock(state_folder(state))
        memory = CoreMemory()
        self._files = [
            FlashFile(state / "internal.bin", memory.internal, boot_code.ljust(layout.INTERNAL_SIZE, b"\xff")),
            FlashFile(state / "external.bin", memory.external, memory.external.dump()),
        ]
        if not boots_as_first_seen(state / "boot-code.sha256", memory):
            kind["generation"] = None
        eeprom = EepromFile(state / "radio.json", factory_mac(uid))
        radio = Radio(eeprom.eeprom)
        self.core = Core(memory, identify, uid=uid, time_scale=time_scale, seed=seed, radio=radio, **kind)
        self.core.on_usb_change = self._usb_changed
        self.usbip = UsbipServer(self)
        self.network = Network(routes or Routes(), self._network_happened, lambda: len(radio.received))
        console = self.core.console
        self.console_port = ListeningPort(lambda port: Client(port, self._typed), lambda: console.full)
        radio.on_order, radio.on_change = self.network.order, eeprom.write
        radio.reaches = self.network.knows
        console.on_output = self.console_port.say
        console.on_change = lambda: self.console_port.show(console.open)
        settled = [self.usbip.idle, self.network.resume, self.console_port.resume]
        self.time = RealTime(self.core, state, settled=settled)
        self.control_port = CoreControls(self.core, self.time).server()

    async def start(
        self, *, host: str, usbip_port: int, console_port: int, control: ControlSocket, powered: bool
    ) -> dict[str, Any]:
        """Open the ports; returns the ready line. Raises LabFault when a port is taken."""
        ready_line = await self.control_port.start(control)
        ports = []
        for open_port, port in ((self.usbip.start, usbip_port), (self._hold_console, console_port)):
            with taking(host, port):
                ports.append(await open_port(host, port))
        if powered:
            self.core.power_on(self.time.now())
        await self.time.looked()
        return {
            "ready": True,
            "usbip": {"host": host, "port": ports[0], "busid": BUSID},
            "control": ready_line,
            "console": {"host": host, "port": ports[1]},
            "core_id": self.core.uid.hex(),
            "generation": self.core.generation,
        }

    async def _hold_console(self, host: str, port: int) -> int:
        return self.console_port.hold(host, port)

    def close(self) -> None:
        """Close ports and files; the board is left as it is, as when its power goes."""
        self.time.stop()
        self.usbip.close()
        self.control_port.close()
        self.console_port.close()
        self.network.close()
        for file in self._files:
            file.close()
        self._lock.close()

    # -- the USB port ------------------------------------------------------------------------------------------------

    @property
    def descriptors(self) -> tuple[bytes, bytes] | None:
        """Device and configuration descriptor of what is attached."""
        usb = self.core.usb
        return (bytes(usb.device_descriptor), bytes(usb.configuration_descriptor)) if usb is not None else None

    @property
    def busy(self) -> bool:
        """Whether the device still works on the last request."""
        if self.core.busy:
            self.core.advance(self.time.now())
        return self.core.busy

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a control transfer; None stalls, as does a device that goes just now: a watchdog waits for nobody."""
        self.core.advance(self.time.seconds())
        return self.core.control(setup, data, self.core.time) if self.core.usb is not None else None

    def acknowledged(self) -> None:
        """The answer is on its way: begin the status stage."""
        self.core.acknowledge(self.time.seconds())
        self.time.board_changed()

    def _usb_changed(self) -> None:
        self.usbip.detached()

    # -- network and console -----------------------------------------------------------------------------------------

    def _network_happened(self, what: str, data: bytes) -> None:
        self.core.network(what, data, self.time.now())

    def _typed(self, data: bytes) -> None:
        self.core.typed(data, self.time.now())
