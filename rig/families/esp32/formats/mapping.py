"""The last thing before an application is entered: its code and data in flash are mapped, once each.

The rule is that of bootloader_utility.c unpack_load_app and cache_ll.h.
"""

from __future__ import annotations

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.chip import Range, within
from rig.families.esp32.formats.image import Image
from rig.families.esp32.formats.steps import Hang, Say, Steps

#: The address differs from build to build.
_ABORTED = "abort() was called at PC 0x40078fd1"


def map_image(image: Image) -> Steps:
    """What is said of an application's mappings; it ends with Hang where they cannot be set up."""
    chip, release = image.chip, image.release
    seen: set[str] = set()
    for segment in image.segments:
        kind = "DROM" if within(chip.drom, segment.address) else "IROM" if within(chip.irom, segment.address) else None
        if kind in seen:
            yield Say(f"E boot: Image contains multiple {kind} segments. Only the last one will be mapped.")
        if kind is not None:
            seen.add(kind)
    if release.does(esp_idf.NEEDS_BOTH_MAPPINGS) and not _maps_both(image, chip.drom, chip.irom):
        yield Say(_ABORTED)
        yield Hang()


def _maps_both(image: Image, drom: Range, irom: Range) -> bool:
    data = [segment for segment in image.segments if within(drom, segment.address)]
    code = [segment for segment in image.segments if within(irom, segment.address)]
    return bool(code and data) and data[-1].address + data[-1].length <= drom[1]
