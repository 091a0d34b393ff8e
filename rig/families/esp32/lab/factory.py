"""How a virtual ESP32 leaves the factory: flash with a golden set, as a module that was programmed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rig.errors import Misuse
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.firmware.bootloader import flash_size_of
from rig.firmware.manifest import Image
from rig.state_folder import keep, state_folder


def ship_esp32(state: Path, roles: Mapping[str, Image], flash_size: int | None = None) -> None:
    """Write flash into `state` unless there is some already. Raises Misuse.

    There are `flash_size` bytes of it, and the second stage is for so much; None is what the second stage is for. A
    role such as `table_16mb` is the table for that size.
    """
    state_folder(state)
    if (state / "flash.bin").exists():
        return
    if lacking := {"bootloader", "table"} - set(roles):
        raise Misuse(f"no image plays the {min(lacking)} of an ESP32", hint="name one in the manifest's roles.esp32")
    table = roles.get(f"table_{flash_size >> 20}mb", roles["table"]) if flash_size else roles["table"]
    golden = golden_set({**roles, "table": table}, flash_size)
    flash = bytearray(b"\xff" * (flash_size or flash_size_of(golden.bootloader)))
    for address, data in golden.parts():
        flash[address : address + len(data)] = data
    keep(state / "flash.bin", bytes(flash))
