"""A Core's keys and its server's address in the external flash, over DFU: one sector at a time, nothing else lost.

DFU erases whole sectors, so what shares one with a key is read first and written back with it (reference §4.3).
"""

from __future__ import annotations

from rig.errors import DeviceFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.keys import FILE_SIZE, ServerRecord

#: How much a Core reads of its own key.
CORE_KEY_SPACE = 612


def read_server_record(board: SparkCore) -> ServerRecord:
    """The server's key and address a Core holds. The board must be in DFU."""
    with board.dfu() as host:
        return ServerRecord.unpack(host.read(layout.SERVER_KEY_ADDRESS, FILE_SIZE))


def write_server_record(board: SparkCore, record: ServerRecord) -> None:
    """Write key and address, and read them back. Raises Misuse, DeviceFault."""
    _rewrite(board, layout.SERVER_KEY_ADDRESS, record.pack())


def write_server_key(board: SparkCore, key: bytes) -> None:
    """Write another server's key, and keep the address and whatever else is there. Raises Misuse, DeviceFault."""
    ServerRecord(key, None).pack()
    _rewrite(board, layout.SERVER_KEY_ADDRESS, key)


def read_core_key(board: SparkCore) -> bytes:
    """What lies where a Core's own private key belongs. The board must be in DFU."""
    with board.dfu() as host:
        return host.read(layout.CORE_KEY_ADDRESS, CORE_KEY_SPACE)


def write_core_key(board: SparkCore, key: bytes) -> None:
    """Write the Core's own private key (PKCS#1 DER). Raises DeviceFault."""
    _rewrite(board, layout.CORE_KEY_ADDRESS, key)


def _rewrite(board: SparkCore, address: int, data: bytes) -> None:
    """Replace the beginning of a sector."""
    with board.dfu() as host:
        sector = host.read(address, layout.EXTERNAL_SECTOR)
        wanted = (data + sector[len(data) :]).rstrip(b"\xff")
        host.write(address, wanted + b"\xff" * (len(wanted) % 2))
        if host.read(address, layout.EXTERNAL_SECTOR) != data + sector[len(data) :]:
            raise DeviceFault(f"what was written at {address:#x} reads back different", board=board.name)
