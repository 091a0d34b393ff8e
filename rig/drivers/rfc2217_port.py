"""pyserial's RFC 2217 port without its brakes: it reads byte by byte, and every setting negotiates the port anew.

The latter takes 0.1 to 0.2 s, also for what the other end need not know or knows already, and esptool changes the
timeout twice a command (esptool issue 383). And it says nothing of DTR and RTS unless it is told to: pyserial
asserts one after the other when it opens, which esptool's own server takes for the beginning of a reset into download
mode, and letting both go for one of a hard reset.
"""

from __future__ import annotations

import threading
from typing import Any

import serial.rfc2217
import serial.serialutil
from serial.rfc2217 import COM_PORT_OPTION, DO

from rig.formats.rfc2217 import SERVER_SIGNATURE, SIGNATURE

#: Telnet's timing mark (RFC 860): whoever is asked for one says at least that it does not do such things.
TIMING_MARK = b"\x06"


class Rfc2217Port(serial.rfc2217.Serial):  # type: ignore[misc]
    """A serial port over telnet with port control. Opening it leaves the board alone."""

    _is_opening = False

    def __init__(self, *settings: Any, **more: Any):
        self._answered = threading.Event()
        #: What the other end calls itself, once it was asked and has answered.
        self.signature = b""
        super().__init__(*settings, **more)

    def open(self) -> None:
        """Negotiate everything but the lines. Raises SerialException."""
        self._is_opening = True
        try:
            super().open()
        finally:
            self._is_opening = False

    def _update_dtr_state(self) -> None:
        if not self._is_opening:
            super()._update_dtr_state()

    def _update_rts_state(self) -> None:
        if not self._is_opening:
            super()._update_rts_state()

    @property
    def timeout(self) -> float | None:
        """How long a read waits, in seconds; the other end need not know."""
        timeout: float | None = self._timeout
        return timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    @property
    def write_timeout(self) -> float | None:
        """How long a write may wait, in seconds; the other end need not know."""
        timeout: float | None = self._write_timeout
        return timeout

    @write_timeout.setter
    def write_timeout(self, seconds: float | None) -> None:
        self._write_timeout = seconds

    @property
    def baudrate(self) -> int:
        """The rate; one that is set already is not negotiated."""
        return int(self._baudrate)

    @baudrate.setter
    def baudrate(self, rate: int) -> None:
        if not self.is_open or rate != self._baudrate:
            serial.serialutil.SerialBase.baudrate.fset(self, rate)

    def ask(self) -> None:
        """Ask the other end for a sign that it is there. Raises OSError when the connection is gone."""
        self._answered.clear()
        self.telnet_send_option(DO, TIMING_MARK)

    def ask_who(self) -> None:
        """Ask the other end what it calls itself: its answer comes before that to whatever is asked later, if at all.

        Raises OSError when the connection is gone.
        """
        self.rfc2217_send_subnegotiation(SIGNATURE)

    def answers(self, seconds: float) -> bool:
        """Whether what was asked last is answered within `seconds`."""
        return self._answered.wait(seconds)

    def _telnet_negotiate_option(self, command: bytes, option: bytes) -> None:
        if option == TIMING_MARK:
            self._answered.set()
        else:
            super()._telnet_negotiate_option(command, option)

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        if suboption[:2] == COM_PORT_OPTION + SERVER_SIGNATURE:
            self.signature = bytes(suboption[2:])
        else:
            super()._telnet_process_subnegotiation(suboption)

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes, waiting for them as the timeout says."""
        first: bytes = super().read(1)
        if not first or size == 1:
            return first
        data = first + self._come(size - 1)
        return data if len(data) == size else data + super().read(size - len(data))

    def _come(self, most: int) -> bytes:
        """What lies in the buffer; the mark of a lost connection stays in it."""
        queue = self._read_buffer
        with queue.mutex:
            count = min(most, len(queue.queue))
            taken = [queue.queue.popleft() for _ in range(count)]
            if None in taken:
                at = taken.index(None)
                queue.queue.extendleft(reversed(taken[at:]))
                del taken[at:]
        return b"".join(taken)
