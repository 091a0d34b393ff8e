"""What may be written where on a Core: images it could run, into segments that are for writing."""

from __future__ import annotations

from rig.drivers.dfu_host import DfuHost
from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import plausible_first_word
from rig.firmware.manifest import Image


def refuse(image: Image, address: int, host: DfuHost) -> None:
    """Raise Misuse for an image a Core cannot run, or an address that is not for writing (§2.5, §3.5)."""
    end = address + len(image)
    if not any(s.writable and s.start <= address and end <= s.end for s in host.segments):
        raise Misuse(
            f"{image.name}: {address:#010x} to {end:#010x} is not in a writable segment"
            + (f"; an application has at most {layout.APP_SIZE:,} bytes" if len(image) > layout.APP_SIZE else ""),
            hint="force it if you are sure",
        )
    if address == layout.APP_ADDRESS and not plausible_first_word(image.data):
        raise Misuse(
            f"{image.name}: its first word is no stack pointer in RAM: the bootloader would not start it",
            hint="is it a firmware file? Force it if you are sure",
        )
