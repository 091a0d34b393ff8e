"""How a virtual ESP32 leaves the factory: flash with a golden set, as a module that was programmed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rig.boards.golden import golden_set
from rig.errors import Misuse
from rig.firmware.esp_second_stages import flash_size_of
from rig.firmware.manifest import Image
from rig.twin.state_folder import keep, state_folder


def ship_esp32(state: Path, roles: Mapping[str, Image], flash_size: int | None = None) -> None:
    """Write flash into `state` unless there is some already. Raises Misuse.

    There are `flash_size` bytes of it, and the second stage is for so much; None is what the second stage is for.
    """
    state_folder(state)
    if (state / "flash.bin").exists():
        return
    if lacking := {"bootloader", "table"} - set(roles):
        raise Misuse(f"no image plays the {min(lacking)} of an ESP32", hint="name one in the manifest's roles.esp32")
    golden = golden_set(roles, flash_size)
    flash = bytearray(b"\xff" * (flash_size or flash_size_of(golden.bootloader)))
    for address, data in golden.parts():
        flash[address : address + len(data)] = data
    keep(state / "flash.bin", bytes(flash))
