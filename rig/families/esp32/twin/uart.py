"""UART0 of an ESP32 as its programs see it: bytes that came and are not read, and a way out."""

from __future__ import annotations

from collections.abc import Callable

#: The chip's own receive buffer; what comes faster than a busy chip reads is lost on real boards at 128 bytes, but USB
#: bridges hold it back: what waits here stands for both.
MOST_WAITING = 64 * 1024
ROM_BAUD = 115200


class Uart:
    """Owned by the board; whoever carries its bytes sets `on_output`."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.baud = ROM_BAUD
        self._listened_to = False
        self.on_output: Callable[[bytes], None] = lambda _data: None
        #: Called when what is on its way out is lost.
        self.on_cut: Callable[[], None] = lambda: None

    def reset(self) -> None:
        """The chip starts: nothing has come, nobody listens, and the rate is the ROM's."""
        self.ignore()
        self.baud = ROM_BAUD

    def cut(self) -> None:
        """The chip stands still: nothing comes out any more."""
        self.reset()
        self.on_cut()

    def listen(self) -> None:
        """A program that takes what comes begins."""
        self._listened_to = True

    def ignore(self) -> None:
        """No program takes what comes any more: it is lost, as on a real board."""
        self._listened_to = False
        self.received.clear()

    @property
    def full(self) -> bool:
        """Whether whoever carries the bytes must wait."""
        return len(self.received) >= MOST_WAITING

    def happened(self, data: bytes) -> None:
        """Bytes came from outside; whoever carries them does not go on while it is full."""
        if self._listened_to:
            self.received += data

    def take(self) -> bytes:
        """Everything that has come."""
        data = bytes(self.received)
        self.received.clear()
        return data

    def send(self, data: bytes) -> None:
        """Send."""
        self.on_output(data)
