"""A file as an image for a Spark Core: without its DFU suffix, and only what a Core could start unless forced."""

from __future__ import annotations

from rig.errors import Misuse
from rig.formats import spark_flash as layout
from rig.formats.dfu_suffix import split_suffix

#: A Core in DFU mode, as suffixes name it.
VENDOR, PRODUCT = 0x1D50, 0x607F


def read_core_image(content: bytes, name: str, *, force: bool) -> bytes:
    """What is to be sent to a Core. Raises Misuse for another device's file, and for what no Core could start."""
    data, suffix = split_suffix(content, name)
    if suffix is not None and not suffix.fits(VENDOR, PRODUCT):
        raise Misuse(f"{name} is for {suffix.vendor:04x}:{suffix.product:04x}, a Core is {VENDOR:04x}:{PRODUCT:04x}")
    if not data:
        raise Misuse(f"{name} is empty")
    if not force and not layout.plausible_first_word(data):
        raise Misuse(
            f"{name}: its first word is no stack pointer in RAM: a Core would install it and never start it",
            hint="is it a firmware file? Force it if you are sure",
        )
    return data
