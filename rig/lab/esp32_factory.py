"""How a virtual ESP32 leaves the factory: flash with a golden set, as a module that was programmed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rig.errors import Misuse
from rig.firmware.manifest import Image
from rig.formats.partition_table import FLASH_SIZE
from rig.recovery.esp32_rescue import golden_set


def ship_esp32(state: Path, roles: Mapping[str, Image]) -> None:
    """Write flash into `state` unless it is there already. Raises Misuse."""
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"cannot use the state folder {state}: {error.strerror}") from error
    if (state / "flash.bin").exists():
        return
    if lacking := {"bootloader", "table"} - set(roles):
        raise Misuse(f"no image plays the {min(lacking)} of an ESP32", hint="name one in the manifest's roles.esp32")
    flash = bytearray(b"\xff" * FLASH_SIZE)
    for address, data in golden_set(roles).parts():
        flash[address : address + len(data)] = data
    (state / "flash.bin").write_bytes(flash)
