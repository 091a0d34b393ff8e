"""Second stages of ESP32s without a compiler: images of noise for RAM only, which fit below the partition table.

And what esptool makes of one for another size of flash (esptool's bin_image.py).
"""

from __future__ import annotations

import hashlib

from rig.families.esp32.formats.flash_parameters import FlashParameters, size_code
from rig.families.esp32.formats.header import Header
from rig.families.esp32.formats.image import DIGEST_SIZE
from rig.families.esp32.formats.kinds import is_image
from rig.families.esp32.formats.partition_table import FLASH_SIZE
from rig.firmware.seeded_bytes import seeded_bytes

#: Addresses of genuine second stages: data, and code from where it is entered, as a ROM prints them.
_DRAM, _IRAM = 0x3FFF_0030, 0x4007_8000
_SPEED_AND_SIZE = 3


def build_bootloader(seed: str, size: int) -> bytes:
    """An image that the ROM would load, with `size` bytes of code; the same seed makes the same bytes."""
    from esptool.bin_image import ELFSection, ESP32FirmwareImage

    image = ESP32FirmwareImage()
    image.entrypoint = _IRAM
    image.flash_mode, image.flash_size_freq = 2, 0x20
    image.max_rev_full = 399
    image.segments = [
        ELFSection(b".dram0.data", _DRAM, seeded_bytes(f"{seed}/dram", 256), 0),
        ELFSection(b".iram0.text", _IRAM, seeded_bytes(f"{seed}/iram", size), 0),
    ]
    return bytes(image.save(None))


def flash_size_of(image: bytes) -> int:
    """For how much flash a second stage is, in bytes; what is no image counts as one for 4 MB."""
    return FlashParameters.of(Header.unpack(image)).size if is_image(image) else FLASH_SIZE


def for_flash(image: bytes, size: int) -> bytes:
    """A second stage whose header says `size` bytes of flash, its digest mended: what esptool writes of it."""
    if flash_size_of(image) == size or not is_image(image):
        return image
    body = bytearray(image)
    body[_SPEED_AND_SIZE] = body[_SPEED_AND_SIZE] & 0xF | size_code(size) << 4
    if Header.unpack(image).hashed:
        body[-DIGEST_SIZE:] = hashlib.sha256(body[:-DIGEST_SIZE]).digest()
    return bytes(body)
