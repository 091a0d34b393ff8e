"""The CC3000: what its EEPROM holds, beside the one TCP connection a Core has through it. Sans I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from rig.twin.tcp import TcpClient

#: Service packs as their two bytes tell them (cc3000-patch-programmer's src/main.cpp).
SHIPPED_VERSION = "1.24"
MOST_PROFILES = 7
WHOLE, HALF, NONE = "whole", "half", "none"
DEFAULT_CALIBRATION = "default"


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


class Radio(TcpClient):
    """The radio of one Core: `eeprom` survives everything, the connection nothing."""

    def __init__(self, eeprom: Eeprom | None = None):
        super().__init__()
        self.eeprom = eeprom or Eeprom()
        self.on_change: Callable[[], None] = lambda: None
        #: Whether echo requests to an address are answered.
        self.reaches: Callable[[str], bool] = lambda _host: False

    def announce(self, data: bytes) -> None:
        """Multicast a datagram."""
        self.on_order("announce", data)

    def wipe_profiles(self) -> None:
        """Forget every network."""
        self.eeprom.profiles.clear()
        self.on_change()

    def add_profile(self, ssid: str) -> None:
        """Remember a network; the oldest of too many is forgotten."""
        self.eeprom.profiles = [*self.eeprom.profiles, ssid][-MOST_PROFILES:]
        self.on_change()
