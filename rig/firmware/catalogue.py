"""Which image lies in an area of flash: the longest known image that the area begins with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rig.firmware.manifest import Image


class Catalogue:
    """Known images by content. Behind an image an area may hold anything: old pages stay where nothing was erased."""

    def __init__(self, images: Iterable[Image]):
        self._by_length: dict[int, dict[str, Image]] = {}
        for image in images:
            self._by_length.setdefault(len(image), {})[image.sha256] = image

    def find(self, area: bytes) -> Image | None:
        """The image `area` begins with, None when it is none that is known."""
        for length in sorted(self._by_length, reverse=True):
            if length <= len(area):
                image = self._by_length[length].get(hashlib.sha256(area[:length]).hexdigest())
                if image is not None:
                    return image
        return None
