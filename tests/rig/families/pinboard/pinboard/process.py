"""A twin of a pinboard as a process: the model on a real clock, its TCP port, its control port and its flash's file.

Its port is that of a terminal server beside the board, which has power always: without the board's it is silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinboard import KIND
from pinboard.formats import APP, FLASH_SIZE
from pinboard.memory import PinboardMemory
from pinboard.twin import Pinboard
from rig.control.control_socket import ControlSocket
from rig.control.serving import serve, warn_of_open_port
from rig.control.socket_options import control_socket_of_twin
from rig.family.twin_settings import TwinSettings
from rig.firmware.catalogue import Catalogue
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import checked_firmware, prepare_firmware
from rig.ports import taking
from rig.state_folder import FolderLock, state_folder
from rig.twin.control import ControlServer, records
from rig.twin.flash_file import FlashFile
from rig.twin.listening_port import Client, ListeningPort
from rig.twin.real_time import RealTime


class PinboardProcess:
    """Owns the model and its clock, and serves it until stopped."""

    def __init__(self, settings: TwinSettings, known: Manifest):
        """Raises Misuse for a folder that is another's, or a file in it that is no flash."""
        self._lock = FolderLock(state_folder(settings.state))
        memory = PinboardMemory()
        self._file = FlashFile(settings.state / "flash.bin", memory.flash, shipped(known))
        find = Catalogue(known.images(KIND)).find
        self.board = Pinboard(memory, find, time_scale=settings.time_scale, seed=settings.seed)
        self.port = ListeningPort(lambda port: Client(port, self._received), lambda: self.board.full)
        self.board.on_output = self.port.say
        self.time = RealTime(self.board, settings.state, settled=[self.port.resume])
        own = {"status": self._status, "power": self._power, "button": self._button}
        self.controls = ControlServer({**records(self.board, self.time), **own})

    async def start(self, host: str, port: int, control: ControlSocket, *, powered: bool) -> Mapping[str, Any]:
        """Open the ports; returns the ready line. Raises LabFault when one is taken."""
        with taking(host, port):
            port = self.port.hold(host, port)
            self.port.show(True)
            await self.port.settled()
        told = await self.controls.start(control)
        if powered:
            self.board.power_on(self.time.now())
        await self.time.looked()
        return {"ready": True, "wire": {"host": host, "port": port}, "control": told}

    def close(self) -> None:
        """Close ports and files; the board is left as it is, as when its power goes."""
        self.time.stop()
        self.controls.close()
        self.port.close()
        self._file.close()
        self._lock.close()

    def _received(self, data: bytes) -> None:
        self.board.received(data, self.time.now())

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.board.catch_up(self.time.now())
        return {"power": self.board.powered, "button": self.board.button, "running": self.board.running}

    def _power(self, request: dict[str, Any]) -> dict[str, Any]:
        (self.board.power_on if request["on"] else self.board.power_off)(self.time.now())
        return {"power": self.board.powered}

    def _button(self, request: dict[str, Any]) -> dict[str, Any]:
        self.board.button = request["pressed"]
        return {"button": self.board.button}


def shipped(known: Manifest) -> bytes:
    """The flash of a new board: the golden application where the manifest names one, else nothing."""
    flash = b"\xff" * FLASH_SIZE
    if not known.has_roles(KIND):
        return flash
    image = known.roles(KIND)["old"].data
    return flash[:APP] + image + flash[APP + len(image) :]


def prepare(manifest: Path | None) -> None:
    """Load what every twin asks for, before some are forked from this process. Raises Misuse."""
    if checked_firmware(manifest).has_roles(KIND):
        prepare_firmware(manifest, KIND)


def serve_pinboard(settings: TwinSettings, port: int) -> None:
    """Serve one pinboard until a signal. Raises Misuse or LabFault before it is ready."""
    process = PinboardProcess(settings, checked_firmware(settings.manifest))
    control_socket = control_socket_of_twin(settings.state, settings.control, settings.token_file)
    warn_of_open_port("--host", settings.host, "whoever does drives this board's port")

    async def start() -> Mapping[str, Any]:
        return await process.start(settings.host, port, control_socket, powered=settings.powered)

    serve(start, process.close, fatal=Exception)
