"""How a virtual Core leaves the factory: flash files with a release in every slot, as boards on a shelf have it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.core_key_der import LONGEST
from rig.families.spark_core.trust.core_key import core_public_key
from rig.families.spark_core.twin.flash_contents import shipped
from rig.firmware.manifest import Manifest
from rig.state_folder import keep, state_folder


@dataclass(frozen=True, slots=True)
class FactoryContents:
    """What else a Core leaves the factory with: its private key, its server's sector, and networks it knows."""

    core_key: bytes = b""
    server: bytes = b""
    networks: tuple[str, ...] = ()


def ship_core(state: Path, manifest: Manifest, generation: str = "b", contents: FactoryContents | None = None) -> None:
    """Write flash and radio into `state` unless they are there already. Raises Misuse."""
    contents = contents or FactoryContents()
    state_folder(state)
    if contents.networks and not (state / "radio.json").exists():
        keep(state / "radio.json", json.dumps({"profiles": contents.networks}).encode())
    if (state / "internal.bin").exists():
        return
    beside = {
        layout.INTERNAL_BASE: manifest.bootloader_code(generation),
        layout.SERVER_KEY_ADDRESS: contents.server,
        layout.CORE_KEY_ADDRESS: contents.core_key,
    }
    memory = shipped(manifest.roles("spark-core"), beside=beside)
    keep(state / "external.bin", memory.external.dump())
    keep(state / "internal.bin", memory.internal.dump())


def shipped_public_key(state: Path) -> str | None:
    """The PEM of the public half of the key that a Core's flash holds; None where it holds none."""
    with (state / "external.bin").open("rb") as flash:
        flash.seek(layout.CORE_KEY_ADDRESS)
        return core_public_key(flash.read(LONGEST))
