"""A file as an image for a Spark Core: without its DFU suffix, and only what a Core could start unless forced."""

from __future__ import annotations

from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout
from rig.firmware.file_kinds import kind_of
from rig.formats.dfu_suffix import DfuSuffix
from rig.formats.dfuse_file import plain_image

#: A Core in DFU mode, as suffixes name it.
VENDOR, PRODUCT = 0x1D50, 0x607F
#: No file for a Core, whose memories hold 2.1 MiB, is longer.
LARGEST = 4 * 1024 * 1024


def unwrap(content: bytes, name: str) -> tuple[bytes, DfuSuffix | None]:
    """An application without its DFU suffix or DfuSe container. Raises Misuse for one that belongs elsewhere."""
    data, suffix, address = plain_image(content, name)
    if address not in (None, layout.APP_ADDRESS):
        raise Misuse(
            f"{name} is a DfuSe container for {address:#010x}; an application belongs at {layout.APP_ADDRESS:#010x}"
        )
    return data, suffix


def read_core_image(content: bytes, name: str, *, force: bool) -> bytes:
    """What is to be sent to a Core. Raises Misuse for another device's file, and for what no Core could start."""
    data, suffix = unwrap(content, name)
    if suffix is not None and not suffix.fits(VENDOR, PRODUCT):
        raise Misuse(f"{name} is for {suffix.vendor:04x}:{suffix.product:04x}, a Core is {VENDOR:04x}:{PRODUCT:04x}")
    if not data:
        raise Misuse(f"{name} is empty")
    if not force and not layout.plausible_first_word(data):
        kind = kind_of(data)
        what = f"it is {kind.what}" if kind is not None else "its first word is no stack pointer in RAM"
        raise Misuse(
            f"{name}: {what}: a Core would install it and never start it",
            hint="is it a firmware file? Force it if you are sure",
        )
    return data
