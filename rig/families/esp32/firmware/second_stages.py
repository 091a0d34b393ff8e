"""Which second stage lies in flash: those listed, whatever flash parameters they were given when they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rig.families.esp32.formats.header import HEADER_SIZE, Header
from rig.families.esp32.formats.image import DIGEST_SIZE
from rig.firmware.catalogue import Catalogue
from rig.firmware.manifest import Image

#: Where a header has mode, and speed and size: esptool patches them, and mends the digest (its bin_image.py).
_PARAMETERS = slice(2, 4)


class SecondStages:
    """Known second stages by content."""

    def __init__(self, images: Iterable[Image]):
        self._images = [image for image in images if len(image) > HEADER_SIZE + DIGEST_SIZE]
        self._exact = Catalogue(self._images)

    def find(self, area: bytes) -> Image | None:
        """The second stage `area` begins with; None when it is none that is known, or its digest is stale."""
        known = self._exact.find(area)
        return known or next((image for image in self._images if _is_patched(area[: len(image)], image.data)), None)


def _is_patched(written: bytes, built: bytes) -> bool:
    """Whether esptool would have written this, given `built` and some flash parameters."""
    if len(written) < len(built) or not Header.unpack(built).hashed:
        return False
    body = bytearray(built[:-DIGEST_SIZE])
    body[_PARAMETERS] = written[_PARAMETERS]
    return written == bytes(body) + hashlib.sha256(body).digest()
