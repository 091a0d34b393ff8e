"""Flash of a Core as it leaves the factory, and as updates find it."""

from __future__ import annotations

from collections.abc import Mapping

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.memory import CoreMemory
from rig.firmware.manifest import Image
from rig.twin.flash import Nor

RUNNING = SystemFlags(nvmem=0, ota=layout.OTA_RUN, flashed=0)
OTA_WAITS = SystemFlags(nvmem=0, ota=layout.OTA_READY, flashed=0)
FACTORY_WANTED = SystemFlags(nvmem=0, ota=layout.OTA_RUN, flashed=0, factory=layout.FACTORY_REQUESTED)


def shipped(
    images: Mapping[str, Image], flags: SystemFlags = RUNNING, beside: Mapping[int, bytes] | None = None
) -> CoreMemory:
    """The old application, its slots filled, these flags, and what else lies there, by address."""
    memory, contents = CoreMemory(), {layout.FLAGS_ADDRESS: flags.pack(), layout.APP_ADDRESS: images["old"].data}
    for address, role in ((layout.FACTORY_ADDRESS, "factory"), (layout.BACKUP_ADDRESS, "previous")):
        if role in images:
            contents[address] = images[role].data
    contents |= beside or {}
    for nor in memory.nors:
        _lay(nor, {address: data for address, data in contents.items() if address in nor})
    return memory


def _lay(nor: Nor, what: Mapping[int, bytes]) -> None:
    contents = bytearray(nor.dump())
    for address, data in what.items():
        contents[address - nor.base : address - nor.base + len(data)] = data
    nor.load(bytes(contents))
