"""One connection to a console: over TCP as it is, or over telnet with port control.

Timeouts are set once, when a connection opens: with upstream pyserial, setting one on RFC2217 negotiates the port anew
and takes 0.3 s, with labgrid's fork it does not (rfc2217.py of both).
"""

from __future__ import annotations

import socket
import time
from typing import Protocol

from rig.drivers.rfc2217_port import Rfc2217Port
from rig.formats.rfc2217 import TWIN_SIGNATURE
from rig.ports import format_address

#: How long a read waits, and opening a connection.
POLL_SECONDS, CONNECT_SECONDS = 0.05, 3.0
#: How often a server is asked whether it is there, and after how long without an answer it hangs.
ASK_SECONDS, HANGS_SECONDS = 0.5, 1.5


class Link(Protocol):
    """One connection to a console."""

    def read(self) -> bytes:
        """What has come, waiting a moment for it; empty when nothing has. Raises OSError when the other end is gone."""

    def write(self, data: bytes) -> None:
        """Send. Raises OSError."""

    def close(self) -> None:
        """Hang up."""


class RawLink:
    """Bytes over TCP as they are."""

    def __init__(self, host: str, port: int):
        self._sock = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
        self._sock.settimeout(POLL_SECONDS)

    def read(self) -> bytes:
        """What has come."""
        try:
            data = self._sock.recv(65536)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError("the console hung up")
        return data

    def write(self, data: bytes) -> None:
        """Send."""
        self._sock.sendall(data)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()


class _KeepingPort(Rfc2217Port):
    """pyserial throws away, at both ends, what came while the port was being negotiated: half a second of boot log."""

    def reset_input_buffer(self) -> None:
        """Keep it."""

    def reset_output_buffer(self) -> None:
        """Keep it."""


class Rfc2217Link:
    """A serial port over telnet with port control."""

    _asked_at, _can_be_asked = 0.0, False
    #: Whether the server has said that what hangs on it is a twin; False says nothing.
    serves_twin = False

    def __init__(self, host: str, port: int, speed: int):
        url = f"rfc2217://{format_address(host, port)}?ign_set_control&timeout={CONNECT_SECONDS}"
        self._port = _KeepingPort(url, baudrate=speed, timeout=POLL_SECONDS)
        self._port.ask_who()
        self._ask()
        self._can_be_asked = self._port.answers(CONNECT_SECONDS)
        self.serves_twin = self._port.signature == TWIN_SIGNATURE

    def answers(self, seconds: float) -> bool:
        """Whether the server answers within `seconds`; one that never did is believed to."""
        if self._can_be_asked:
            self._ask()
        return not self._can_be_asked or self._port.answers(seconds)

    def hangs(self) -> bool:
        """Whether the server has not answered for a while; it is asked now and then."""
        waits = time.monotonic() - self._asked_at
        if not self._can_be_asked or not self._port.answers(0):
            return self._can_be_asked and waits > HANGS_SECONDS
        if waits > ASK_SECONDS:
            self._ask()
        return False

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        self._port.ask()

    def read(self) -> bytes:
        """What has come."""
        first: bytes = self._port.read(1)
        return first + self._port.read(self._port.in_waiting) if first else b""

    def write(self, data: bytes) -> None:
        """Send."""
        self._port.write(data)

    def close(self) -> None:
        """Hang up."""
        self._port.close()
