"""The server's sector in a Core's external flash: its public key, and where it is (particle-cli's KeyCommands.js)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout

KEY_SIZE = 294
RECORD_SIZE = 128
FILE_SIZE = layout.SERVER_ADDRESS_OFFSET + RECORD_SIZE
IP_ADDRESS, DOMAIN = 0, 1
#: How much of the sector a Core looks at.
SECTOR_BYTES = FILE_SIZE
#: Where a Core takes the modulus of its server's key from, whatever lies there.
_MODULUS_AT, _MODULUS_SIZE = 33, 256


def modulus_in(sector: bytes) -> int:
    """The modulus a Core reads, without a look at what is around it."""
    return int.from_bytes(sector[_MODULUS_AT : _MODULUS_AT + _MODULUS_SIZE], "big")


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server's public key (DER) and its address: a domain, an IPv4 address, or None for no record."""

    key: bytes
    address: str | None

    @classmethod
    def unpack(cls, sector: bytes) -> ServerRecord:
        """Read key and address from the first 512 bytes of the sector."""
        record = sector[layout.SERVER_ADDRESS_OFFSET :]
        address = None
        if record[:1] == bytes([IP_ADDRESS]) and len(record) >= 6:
            address = str(ipaddress.IPv4Address(record[2:6]))
        elif record[:1] == bytes([DOMAIN]):
            address = record[2 : 2 + record[1]].decode("latin-1")
        return cls(sector[:KEY_SIZE], address)

    def pack(self) -> bytes:
        """512 bytes, as a key file holds them and as they lie in the sector. Raises Misuse."""
        if len(self.key) != KEY_SIZE:
            raise Misuse(f"a server key has {KEY_SIZE} bytes, this one {len(self.key)}", hint="RSA-2048, DER")
        return self.key.ljust(layout.SERVER_ADDRESS_OFFSET, b"\xff") + self._record().ljust(RECORD_SIZE, b"\xff")

    def _record(self) -> bytes:
        if self.address is None:
            return b""
        try:
            return bytes([IP_ADDRESS, 4]) + ipaddress.IPv4Address(self.address).packed
        except ValueError:
            name = self.address.encode("ascii", "replace")
            if not self.address.isascii() or not 0 < len(name) <= RECORD_SIZE - 3 or " " in self.address:
                raise Misuse(f"{self.address!r} is no name of a server that fits into its record") from None
            return bytes([DOMAIN, len(name)]) + name + b"\0"
