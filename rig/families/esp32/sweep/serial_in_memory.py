"""The serial port of an ESP32 in memory, as pyserial would hand it out to the host code that also drives hardware."""

from __future__ import annotations

from typing import ClassVar

from rig.families.esp32.drivers.loader import TIMEOUT_SECONDS
from rig.families.esp32.twin.board import Esp32


class SerialInMemory:
    """A port without a wire: what a board answers is there at once, and there are no lines to reset it by.

    It is an address, too (`open`): one that was closed may be opened again.
    """

    url: ClassVar[str] = "memory"
    protocol: ClassVar[str] = "raw"
    #: What esptool calls it.
    port = name = url

    def __init__(self, board: Esp32):
        self._board, self._arrived = board, bytearray()
        self.timeout: float | None = TIMEOUT_SECONDS
        self.baudrate = board.uart.baud
        self.is_open = False
        board.uart.on_output = self._arrived.extend

    def open(self) -> SerialInMemory:
        """The port."""
        self.is_open = True
        return self

    def close(self) -> None:
        """Let it go."""
        self.is_open = False

    def read(self, size: int = 1) -> bytes:
        """So many bytes, or fewer where the board says no more."""
        while len(self._arrived) < size and self._board.step():
            pass
        data = bytes(self._arrived[:size])
        del self._arrived[:size]
        return data

    def write(self, data: bytes) -> int:
        """The board hears it at once."""
        self._board.received(bytes(data), self._board.time)
        return len(data)

    def inWaiting(self) -> int:
        """How much has come, after everything that the board does by itself."""
        while self._board.step():
            pass
        return len(self._arrived)

    def reset_input_buffer(self) -> None:
        """Forget what has come."""
        self._arrived.clear()

    flushInput = reset_input_buffer

    def flushOutput(self) -> None:
        """Nothing is on its way."""
