"""How a virtual Core leaves the factory: flash files with a release in every slot, as boards on a shelf have it."""

from __future__ import annotations

from pathlib import Path

from rig.errors import Misuse
from rig.firmware.manifest import Manifest
from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags


def ship_core(state: Path, manifest: Manifest, generation: str = "B", core_key: bytes = b"") -> None:
    """Write `internal.bin` and `external.bin` into `state` unless they are there already. Raises Misuse."""
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"cannot use the state folder {state}: {error.strerror}") from error
    if (state / "internal.bin").exists():
        return
    roles = manifest.roles("spark-core")
    internal = bytearray(b"\xff" * layout.INTERNAL_SIZE)
    flags = SystemFlags(nvmem=0, ota=layout.OTA_RUN, flashed=0)
    for address, data in (
        (layout.INTERNAL_BASE, manifest.bootloader_code(generation)),
        (layout.FLAGS_ADDRESS, flags.pack()),
        (layout.APP_ADDRESS, roles["old"].data),
    ):
        start = address - layout.INTERNAL_BASE
        internal[start : start + len(data)] = data
    external = bytearray(b"\xff" * layout.EXTERNAL_SIZE)
    for address, role in ((layout.FACTORY_ADDRESS, "factory"), (layout.BACKUP_ADDRESS, "previous")):
        if role in roles:
            external[address : address + len(roles[role])] = roles[role].data
    external[layout.CORE_KEY_ADDRESS : layout.CORE_KEY_ADDRESS + len(core_key)] = core_key
    (state / "external.bin").write_bytes(external)
    (state / "internal.bin").write_bytes(internal)
