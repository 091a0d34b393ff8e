"""A twin of an ESP32 as a process: the model on a real clock, its serial port, network, control port and files.

The USB bridge of the board is fed by the host, as on a rack with always-powered bridges, or by the board's own supply:
then its serial port vanishes with the power.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any

from rig.errors import LabFault, Misuse
from rig.twin.esp32.board import Esp32
from rig.twin.esp32.chip import Chip
from rig.twin.esp32.circuit import ResetCircuit
from rig.twin.esp32.controls import Esp32Controls
from rig.twin.esp32.memory import FLASH_SIZE, Esp32Memory
from rig.twin.esp32.serial_port import SerialPort
from rig.twin.flash_file import FlashFile
from rig.twin.network import Network, Routes

#: How far the file may lag behind flash work under way.
FILE_LAG_SECONDS = 0.05


class Esp32Process:
    """Owns the model and its clock, and serves it until stopped."""

    def __init__(
        self,
        *,
        state: Path,
        mac: bytes,
        revision: int,
        fed_by_board: bool,
        routes: Routes,
        address: str | None,
        **kind: Any,
    ):
        """`fed_by_board` says whether the USB bridge loses its supply with the board; `address` is the board's own in
        its network. `kind` is what else a board is made with."""
        try:
            state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(f"cannot use the state folder {state}: {error.strerror}") from error
        memory = Esp32Memory()
        self._file = FlashFile(state / "flash.bin", memory.flash, b"\xff" * FLASH_SIZE)
        self._fuses = state / "efuses.bin"
        chip = Chip(mac, revision=revision, efuses=self._fuses.read_bytes() if self._fuses.exists() else None)
        chip.on_burn = lambda: _replace(self._fuses, chip.efuses)
        self.board = Esp32(memory, chip, **kind)
        self.circuit = ResetCircuit()
        self._held = {"boot": False, "reset": False}
        self._fed_by_board = fed_by_board
        self.serial = SerialPort(self._typed, self._lines, lambda: self.board.uart.baud)
        tcp = self.board.tcp
        self.network = Network(routes, self._network_happened, lambda: len(tcp.received), address)
        tcp.on_order = self.network.order
        self.board.uart.on_output = self.serial.say
        self.circuit.on_change = self._pins
        self.controls = Esp32Controls(self.board, self.now, self._wake, self.press, self._power).server()
        self._began = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Seconds since the process began: the model's time."""
        return time.monotonic() - self._began

    async def start(
        self, *, host: str, serial_port: int, raw_port: int, control_port: int, powered: bool
    ) -> dict[str, Any]:
        """Open the ports; returns the ready line. Raises LabFault when a port is taken."""
        try:
            raw, rfc2217 = self.serial.hold(host, raw_port, serial_port)
            control = await self.controls.start(host, control_port)
        except OSError as error:
            raise LabFault(f"cannot listen on {host}: {error.strerror}", hint="port 0 takes a free one") from error
        self.serial.show(powered or not self._fed_by_board)
        await self.serial.settled()
        if powered:
            self._power(True)
        return {
            "ready": True,
            "serial": {"url": f"rfc2217://{host}:{rfc2217}", "host": host, "port": rfc2217},
            "raw": {"url": f"socket://{host}:{raw}", "host": host, "port": raw},
            "control": {"host": host, "port": control},
            "mac": self.board.chip.mac.hex(),
            "revision": self.board.chip.revision,
        }

    def close(self) -> None:
        """Close ports and files; the board is left as it is, as when its power goes."""
        self.board.catch_up(self.now())
        self.controls.close()
        self.serial.close()
        self.network.close()
        self._file.close()

    def press(self, button: str, held: bool) -> None:
        """BOOT pulls GPIO0 low, RST pulls EN low."""
        self._held[button] = held
        self._pins()
        self._wake()

    # -- lines -------------------------------------------------------------------------------------------------------

    def _power(self, on: bool) -> None:
        if on:
            self.board.power_on(self.now())
        else:
            self.board.power_off(self.now())
        if self._fed_by_board:
            self.serial.show(on)
        self._wake()

    def _lines(self, dtr: bool, rts: bool) -> None:
        self.circuit.set(dtr, rts, self.now())
        self._wake()

    def _pins(self) -> None:
        """GPIO0 first: it is sampled when EN rises."""
        self.board.gpio0_low = self.circuit.gpio0_low or self._held["boot"]
        self.board.hold_reset(self.circuit.en_low or self._held["reset"], self.now())

    # -- bytes -------------------------------------------------------------------------------------------------------

    def _typed(self, data: bytes) -> None:
        self.board.received(data, self.now())
        self._wake()

    def _network_happened(self, what: str, data: bytes) -> None:
        self.board.network(what, data, self.now())
        self._wake()

    # -- time --------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Let what is due happen, and come back when the next thing is."""
        self.circuit.advance(self.now())
        self.board.advance(self.now())
        self.network.breathe()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = min(self.board.due(), self.circuit.due()) - self.now()
        if wait > FILE_LAG_SECONDS:
            self.board.catch_up(self.now())
        if self.board.writing:
            wait = min(wait, FILE_LAG_SECONDS)
        if wait != math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(wait, 0), self._wake)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)
