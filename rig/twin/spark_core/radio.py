"""The CC3000: what its EEPROM holds, and the one TCP connection a Core has through it. Sans I/O.

The board's programs talk to it; whoever owns the board carries its orders out on a real network, and tells it what
comes back. Without power it says nothing any more, not even goodbye.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

#: Service packs as their two bytes tell them (reference/spark-core.md §8).
SHIPPED_VERSION = "1.24"
MOST_PROFILES = 7
WHOLE, HALF, NONE = "whole", "half", "none"
DEFAULT_CALIBRATION = "default"


class Link(enum.Enum):
    """How far the TCP connection is."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPEN = "open"
    #: The other end hung up, or could not be reached.
    LOST = "lost"


@dataclass(slots=True)
class Eeprom:
    """Files of the radio's EEPROM, as far as anybody can tell them apart."""

    version: str = SHIPPED_VERSION
    profiles: list[str] = field(default_factory=list)
    mac: str | None = None
    #: Radio-module parameters: the module's own, the default table, or none.
    calibration: str = "own"
    #: Whether the file table is whole; the two patches are whole, half written, or not there.
    table: bool = True
    driver_patch: str = WHOLE
    firmware_patch: str = WHOLE
    #: How many patches still come out as another version than was wanted.
    refusals: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For a file or a status."""
        return asdict(self)

    @property
    def starts(self) -> bool:
        """Whether the radio comes up at all: with half a patch it does not (§8, reasoned)."""
        return HALF not in (self.driver_patch, self.firmware_patch)

    @property
    def joins(self) -> bool:
        """Whether it can join a network."""
        return self.starts and self.table and self.mac is not None


def factory_mac(uid: bytes) -> str:
    """The address a radio is shipped with, and what patchers invent for one that has lost its own (§8)."""
    return "08:00:28:" + ":".join(f"{uid[at]:02x}" for at in (2, 8, 9))


#: Orders to the outside: ("connect", (name, port)), ("send", bytes), ("close", None), ("vanish", None),
#: ("announce", bytes).
Order = Callable[[str, Any], None]


class Radio:
    """The radio of one Core: `eeprom` survives everything, the connection nothing."""

    def __init__(self, eeprom: Eeprom | None = None):
        self.eeprom = eeprom or Eeprom()
        self.link = Link.CLOSED
        self.received = bytearray()
        self.on_order: Order = lambda _order, _what: None
        self.on_change: Callable[[], None] = lambda: None
        #: Whether echo requests to an address are answered.
        self.reaches: Callable[[str], bool] = lambda _host: False

    # -- what programs do --------------------------------------------------------------------------------------------

    def connect(self, name: str, port: int) -> None:
        """Begin to connect."""
        self.received.clear()
        self.link = Link.CONNECTING
        self.on_order("connect", (name, port))

    def send(self, data: bytes) -> None:
        """Send; without a connection it goes nowhere."""
        if self.link is Link.OPEN:
            self.on_order("send", data)

    def announce(self, data: bytes) -> None:
        """Multicast a datagram."""
        self.on_order("announce", data)

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

    def wipe_profiles(self) -> None:
        """Forget every network."""
        self.eeprom.profiles.clear()
        self.on_change()

    def add_profile(self, ssid: str) -> None:
        """Remember a network; the oldest of too many is forgotten."""
        self.eeprom.profiles = [*self.eeprom.profiles, ssid][-MOST_PROFILES:]
        self.on_change()

    # -- what the network does ---------------------------------------------------------------------------------------

    def happened(self, what: str, data: bytes = b"") -> None:
        """`open`, `lost` or `data`; what comes late, to a connection that is no more, is dropped."""
        match what:
            case "open" if self.link is Link.CONNECTING:
                self.link = Link.OPEN
            case "lost" if self.link is not Link.CLOSED:
                self.link = Link.LOST
            case "data" if self.link is Link.OPEN:
                self.received += data
