"""A connection that speaks RFC 2217, and the port settings that such connections share; pyserial negotiates."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

from serial.rfc2217 import COM_PORT_OPTION, IAC, SE, PortManager

from rig.formats.rfc2217 import SERVER_SIGNATURE, SIGNATURE, TWIN_SIGNATURE
from rig.listener import IdlePeerTimeout
from rig.twin.listening_port import Client, ListeningPort

_END_OF_ORDER = IAC + SE
#: Most orders are a word long; signatures are a text.
_LONGEST_ORDER = 256
#: What pyserial's state machine raises on bytes that are no RFC 2217.
_GARBLED = (TypeError, ValueError, KeyError, struct.error)


class Lines:
    """The serial port as pyserial's PortManager sets it: every change of DTR or RTS is told as it comes.

    `rate` is None until a client has told one.
    """

    cts = dsr = cd = True
    ri = False
    xonxoff = rtscts = break_condition = False
    bytesize, parity, stopbits = 8, "N", 1

    def __init__(self, changed: Callable[[bool, bool], None]):
        self._changed = changed
        self._dtr = self._rts = False
        self.rate: int | None = None
        self.users = 0

    @property
    def dtr(self) -> bool:
        """Whether DTR is asserted."""
        return self._dtr

    @dtr.setter
    def dtr(self, asserted: bool) -> None:
        self._set(asserted, self._rts)

    @property
    def rts(self) -> bool:
        """Whether RTS is asserted."""
        return self._rts

    @rts.setter
    def rts(self, asserted: bool) -> None:
        self._set(self._dtr, asserted)

    @property
    def baudrate(self) -> int:
        """The rate, or what a bridge begins with."""
        return self.rate or 115200

    @baudrate.setter
    def baudrate(self, rate: int) -> None:
        self.rate = rate

    def drop(self) -> None:
        """The last client has gone: both lines fall at once, as when a tty is closed, and the rate is nobody's."""
        self.rate = None
        self._set(False, False)

    def reset_input_buffer(self) -> None:
        """Nothing waits here."""

    def reset_output_buffer(self) -> None:
        """Nothing waits here."""

    def _set(self, dtr: bool, rts: bool) -> None:
        if (dtr, rts) != (self._dtr, self._rts):
            self._dtr, self._rts = dtr, rts
            self._changed(dtr, rts)


class _Server(PortManager):  # type: ignore[misc]
    """pyserial's, which says what it is when it is asked."""

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        if suboption == COM_PORT_OPTION + SIGNATURE:
            self.rfc2217_send_subnegotiation(SERVER_SIGNATURE, TWIN_SIGNATURE)
        else:
            super()._telnet_process_subnegotiation(suboption)


class Rfc2217Client(Client):
    """A connection whose telnet part is taken out of what comes, and put into what goes.

    Whoever does not negotiate in time is hung up on: every client of RFC 2217 does at once.
    """

    def __init__(self, port: ListeningPort, received: Callable[[bytes], None], lines: Lines):
        super().__init__(port, received)
        self._lines = lines
        self._manager: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to negotiate."""
        super().connection_made(transport)
        assert self.transport is not None
        self._idle_timeout = IdlePeerTimeout(self.transport, self._port.limits.idle)
        self._lines.users += 1
        self._manager = _Server(self._lines, self)

    def connection_lost(self, error: Exception | None) -> None:
        """The last one lets the lines fall."""
        super().connection_lost(error)
        self._idle_timeout.is_known()
        self._lines.users -= 1
        if not self._lines.users:
            self._lines.drop()

    def data_received(self, data: bytes) -> None:
        """Do what the client orders, and pass on the rest; one that does not speak RFC 2217 is hung up on."""
        before, *others = data.split(_END_OF_ORDER)
        # An order is carried out at its end: what came before it goes out before it.
        for piece in (before, *(_END_OF_ORDER + other for other in others)):
            try:
                rest = b"".join(self._manager.filter(piece))
            except _GARBLED:
                self.hang_up()
                return
            if rest:
                self.received(rest)
        if IAC in data:
            self._idle_timeout.is_known()
        if len(self._manager.suboption or b"") > _LONGEST_ORDER:
            self.hang_up()

    def write(self, data: bytes) -> None:
        """What the negotiation answers."""
        if self.transport is not None:
            self.transport.write(data)

    def say(self, data: bytes) -> None:
        """Send data."""
        super().say(data.replace(IAC, IAC + IAC))
