"""The one TCP connection that a board's program has at a time. Sans I/O: whoever owns the board carries its orders out.

Without power a board says nothing any more, not even goodbye.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any


class Link(enum.Enum):
    """How far the TCP connection is."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPEN = "open"
    #: The other end hung up, or could not be reached.
    LOST = "lost"


#: Orders to the outside: ("connect", (name, port)), ("send", bytes), ("close", None), ("vanish", None),
#: ("announce", bytes).
Order = Callable[[str, Any], None]


class TcpClient:
    """A connection, and what came on it and is not read yet."""

    def __init__(self) -> None:
        self.link = Link.CLOSED
        #: Why it was never open: b"unknown" for a name, b"unreachable"; b"reset" for one that was; else empty.
        self.why = b""
        self.received = bytearray()
        self.on_order: Order = lambda _order, _what: None

    # -- what programs do --------------------------------------------------------------------------------------------

    def connect(self, name: str, port: int) -> None:
        """Begin to connect."""
        self.received.clear()
        self.why = b""
        self.link = Link.CONNECTING
        self.on_order("connect", (name, port))

    def send(self, data: bytes) -> None:
        """Send; without a connection it goes nowhere."""
        if self.link is Link.OPEN:
            self.on_order("send", data)

    def close(self) -> None:
        """Hang up, and say so."""
        if self.link is not Link.CLOSED:
            self.link = Link.CLOSED
            self.received.clear()
            self.on_order("close", None)

    def vanish(self) -> None:
        """The radio is off or reset: what was connected hears nothing more."""
        if self.link is not Link.CLOSED:
            self.link = Link.CLOSED
            self.received.clear()
            self.on_order("vanish", None)

    def take(self, count: int) -> bytes:
        """The first `count` bytes that have come."""
        taken = bytes(self.received[:count])
        del self.received[:count]
        return taken

    # -- what the network does ---------------------------------------------------------------------------------------

    def happened(self, what: str, data: bytes = b"") -> None:
        """`open`, `lost` or `data`; what comes late, to a connection that is no more, is dropped."""
        match what:
            case "open" if self.link is Link.CONNECTING:
                self.link = Link.OPEN
            case "lost" if self.link not in (Link.CLOSED, Link.LOST):
                self.link, self.why = Link.LOST, data
            case "data" if self.link is Link.OPEN:
                self.received += data
