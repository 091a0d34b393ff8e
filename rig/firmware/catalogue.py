"""Which image lies in an area of flash: the longest known image that the area begins with."""

from __future__ import annotations

from collections.abc import Iterable

from rig.firmware.manifest import Image


class Catalogue:
    """Known images by content. Behind an image an area may hold anything: old pages stay where nothing was erased."""

    def __init__(self, images: Iterable[Image]):
        self._images = sorted({image.sha256: image for image in images}.values(), key=len, reverse=True)

    def find(self, area: bytes) -> Image | None:
        """The image `area` begins with, None when it is none that is known."""
        return next((image for image in self._images if area.startswith(image.data)), None)
