"""How a virtual ESP32 leaves the factory: flash with a golden set, as a module that was programmed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rig.boards.golden import golden_set
from rig.errors import Misuse
from rig.firmware.manifest import Image
from rig.formats.partition_table import FLASH_SIZE
from rig.twin.state_folder import keep, state_folder


def ship_esp32(state: Path, roles: Mapping[str, Image]) -> None:
    """Write flash into `state` unless it is there already. Raises Misuse."""
    state_folder(state)
    if (state / "flash.bin").exists():
        return
    if lacking := {"bootloader", "table"} - set(roles):
        raise Misuse(f"no image plays the {min(lacking)} of an ESP32", hint="name one in the manifest's roles.esp32")
    flash = bytearray(b"\xff" * FLASH_SIZE)
    for address, data in golden_set(roles).parts():
        flash[address : address + len(data)] = data
    keep(state / "flash.bin", bytes(flash))
