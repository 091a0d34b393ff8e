"""Which bootloader a Core has: by its code, where a manifest lists that, else by what it tells of itself over DFU."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rig.drivers.dfu_host import DfuHost
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.bootloader import PARTICLE, SPARK, generation_c, is_same, maker_of
from rig.families.spark_core.formats.flash import SystemFlags
from rig.firmware.manifest import Manifest


@dataclass(frozen=True, slots=True)
class CoreBootloader:
    """What is in a Core: `size` and `sha256` are of its code without the blank flash behind it."""

    size: int
    sha256: str
    #: As DFU names it.
    maker: str
    #: None where nothing tells it.
    generation: str | None

    def contradicts(self, generation: str) -> bool:
        """Whether it is certain to be of another generation."""
        if self.generation is not None:
            return not is_same(self.generation, generation)
        return self.maker in (SPARK, PARTICLE) and self.maker != maker_of(generation)


def look_at_bootloader(host: DfuHost, known: Manifest) -> CoreBootloader:
    """Read it from a Core in DFU. Raises LabFault, DeviceFault."""
    area, maker = host.read(layout.INTERNAL_BASE, layout.BOOTLOADER_SIZE), host.maker()
    listed = known.bootloader_in(area)
    generation = listed.generation if listed is not None else None
    if generation is None and maker == PARTICLE:
        flags = SystemFlags.unpack(host.read(layout.FLAGS_ADDRESS, SystemFlags.SIZE))
        generation = generation_c(flags.firmware_version)
    code = area.rstrip(b"\xff")
    return CoreBootloader(len(code), hashlib.sha256(code).hexdigest(), maker, generation)
