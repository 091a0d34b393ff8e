"""A twin of an ESP32 as a process: the model on a real clock, its serial port, network, control port and files.

The USB bridge of the board is fed by the host, as on a rack with always-powered bridges, or by the board's own supply:
then its serial port vanishes with the power.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rig.control.control_socket import ControlSocket
from rig.errors import Misuse
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.circuit import ResetCircuit
from rig.families.esp32.twin.controls import Esp32Controls
from rig.families.esp32.twin.line import LEAST_RATE, Line
from rig.families.esp32.twin.memory import FLASH_SIZE, FLASH_SIZES, Esp32Memory
from rig.families.esp32.twin.serial_port import SerialPort
from rig.ports import format_address
from rig.state_folder import FolderLock, keep, kept, state_folder
from rig.twin.flash_file import FlashFile
from rig.twin.network import Network, Routes
from rig.twin.network_time import NetworkTime
from rig.twin.real_time import RealTime


class Esp32Process:
    """Owns the model and its clock, and serves it until stopped."""

    def __init__(
        self,
        *,
        state: Path,
        mac: bytes | None,
        revision: int | None,
        fed_by_board: bool,
        routes: Routes,
        address: str | None,
        flash_size: int | None = None,
        line_rate: int = LEAST_RATE,
        **kind: Any,
    ):
        """`fed_by_board` says whether the USB bridge loses its supply with the board; `address` is the board's own in
        its network; None for `mac` and `revision` is what its eFuses say, None for `flash_size` how much flash there is
        in its file; `line_rate` is the least of the serial line, in baud. `kind` is what else a board is made with.

        Raises Misuse for a folder or a file in it that cannot be this board's.
        """
        self._lock = FolderLock(state_folder(state))
        memory = Esp32Memory(size := _size_of(state / "flash.bin", flash_size))
        self._file = FlashFile(state / "flash.bin", memory.flash, b"\xff" * size)
        chip = _kept_chip(state / "efuses.bin", mac, revision, size)
        self.network_time = NetworkTime(routes, address)
        self.board = Esp32(memory, chip, network_time=self.network_time, **kind)
        self.circuit = ResetCircuit()
        self._held = {"boot": False, "reset": False}
        self._fed_by_board = fed_by_board
        uart = self.board.uart
        self.serial = SerialPort(self._typed, self._lines, lambda: uart.baud, lambda: uart.full)
        tcp = self.board.tcp
        self.network = Network(routes, self._network_happened, lambda: len(tcp.received), address)
        tcp.on_order = self.network.order
        self.line = Line(self.serial.say, lambda: self.board.time, line_rate)
        uart.on_output = lambda data: self.line.send(data, uart.baud)
        uart.on_cut = self.line.cut
        self.circuit.on_change = self._pins
        settled = [self.network.resume, self.serial.resume]
        self.time = RealTime(self.board, state, beside=[self.circuit, self.line], settled=settled)
        self.controls = Esp32Controls(self.board, self.time, self.press, self._power).server()

    async def start(
        self, *, host: str, serial_port: int, raw_port: int, control: ControlSocket, powered: bool
    ) -> dict[str, Any]:
        """Open the ports; returns the ready line. Raises LabFault when a port is taken."""
        raw, rfc2217 = self.serial.hold(host, raw_port, serial_port)
        ready_line = await self.controls.start(control)
        self.serial.show(powered or not self._fed_by_board)
        await self.serial.settled()
        if powered:
            self._power(True)
        await self.time.looked()
        return {
            "ready": True,
            "serial": {"url": f"rfc2217://{format_address(host, rfc2217)}", "host": host, "port": rfc2217},
            "raw": {"url": f"socket://{format_address(host, raw)}", "host": host, "port": raw},
            "control": ready_line,
            "mac": self.board.chip.mac.hex(),
            "address": self.network.address,
            "revision": self.board.chip.revision,
        }

    def close(self) -> None:
        """Close ports and files; the board is left as it is, as when its power goes."""
        self.time.stop()
        self.controls.close()
        self.serial.close()
        self.network.close()
        self.network_time.close()
        self._file.close()
        self._lock.close()

    def press(self, button: str, held: bool) -> None:
        """BOOT pulls GPIO0 low, RST pulls EN low."""
        self._held[button] = held
        self._pins()

    # -- lines -------------------------------------------------------------------------------------------------------

    def _power(self, on: bool) -> None:
        if on:
            self.board.power_on(self.time.now())
        else:
            self.board.power_off(self.time.now())
        if self._fed_by_board:
            self.serial.show(on)

    def _lines(self, dtr: bool, rts: bool) -> None:
        self.circuit.set(dtr, rts, self.time.now())

    def _pins(self) -> None:
        """GPIO0 first: it is sampled when EN rises."""
        self.board.gpio0_low = self.circuit.gpio0_low or self._held["boot"]
        self.board.hold_reset(self.circuit.en_low or self._held["reset"], self.time.now())

    # -- bytes -------------------------------------------------------------------------------------------------------

    def _typed(self, data: bytes) -> None:
        self.board.received(data, self.time.now())

    def _network_happened(self, what: str, data: bytes) -> None:
        self.board.network(what, data, self.time.now())


def _size_of(path: Path, size: int | None) -> int:
    """How much flash the board has: what was told, or what its file holds. Raises Misuse where they differ."""
    contents = kept(path)
    if contents is None or len(contents) not in FLASH_SIZES:
        return size or FLASH_SIZE
    if size is not None and size != len(contents):
        raise Misuse(
            f"{path} holds {len(contents) >> 20} MB of flash, not {size >> 20}", hint="remove it to begin with another"
        )
    return len(contents)


def _kept_chip(path: Path, mac: bytes | None, revision: int | None, flash_size: int) -> Chip:
    """The chip whose eFuses are in a file, where there is one; it is written anew whenever some are burned."""
    efuses = kept(path)
    try:
        chip = Chip(mac, revision=revision, efuses=efuses, flash_size=flash_size)
    except Misuse as error:
        if efuses is not None:
            raise Misuse(f"{path}: {error.message}", hint="remove it to begin with another chip") from None
        raise
    chip.on_burn = lambda: keep(path, chip.efuses)
    return chip
