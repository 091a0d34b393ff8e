"""Which second stage lies in flash: those listed, whatever flash parameters they were given when they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rig.firmware.identify import Catalogue
from rig.firmware.manifest import Image
from rig.formats.esp_flash_parameters import FlashParameters, size_code
from rig.formats.esp_header import HEADER_SIZE, Header
from rig.formats.esp_image import DIGEST_SIZE
from rig.formats.partition_table import FLASH_SIZE

#: Where a header has mode, and speed and size: esptool patches them, and mends the digest (reference/esp32.md §2.3).
_PARAMETERS = slice(2, 4)
_SPEED_AND_SIZE = 3


class SecondStages:
    """Known second stages by content."""

    def __init__(self, images: Iterable[Image]):
        self._images = [image for image in images if len(image) > HEADER_SIZE + DIGEST_SIZE]
        self._exact = Catalogue(self._images)

    def find(self, area: bytes) -> Image | None:
        """The second stage `area` begins with; None when it is none that is known, or its digest is stale."""
        known = self._exact.find(area)
        return known or next((image for image in self._images if _is_patched(area[: len(image)], image.data)), None)


def flash_size_of(image: bytes) -> int:
    """For how much flash a second stage is, in bytes; what is too short for a header counts as one for 4 MB."""
    return FlashParameters.of(Header.unpack(image)).size if len(image) >= HEADER_SIZE else FLASH_SIZE


def for_flash(image: bytes, size: int) -> bytes:
    """A second stage whose header says `size` bytes of flash, its digest mended: what esptool writes of it."""
    if flash_size_of(image) == size or len(image) <= HEADER_SIZE + DIGEST_SIZE:
        return image
    body = bytearray(image)
    body[_SPEED_AND_SIZE] = body[_SPEED_AND_SIZE] & 0xF | size_code(size) << 4
    if Header.unpack(image).hashed:
        body[-DIGEST_SIZE:] = hashlib.sha256(body[:-DIGEST_SIZE]).digest()
    return bytes(body)


def _is_patched(written: bytes, built: bytes) -> bool:
    """Whether esptool would have written this, given `built` and some flash parameters."""
    if len(written) < len(built) or not Header.unpack(built).hashed:
        return False
    body = bytearray(built[:-DIGEST_SIZE])
    body[_PARAMETERS] = written[_PARAMETERS]
    return written == bytes(body) + hashlib.sha256(body).digest()
