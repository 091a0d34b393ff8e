"""Which image lies in an application area: the longest known image that the area begins with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from rig.firmware.manifest import Image

ERASED, MIXED = "erased", "mixed"


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of an application area: its name, and how it behaves (`runs` is None when nobody knows it)."""

    name: str
    runs: str | None = None
    version: str = "0.2.1"
    offers: str = "tinker"
    patches_radio: str | None = None


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

    def identify(self, area: bytes) -> Identity:
        """What lies in an area; one that nobody knows is `erased` or `mixed`."""
        if area == b"\xff" * len(area):
            return Identity(ERASED)
        image = self.find(area)
        if image is None:
            return Identity(MIXED)
        return Identity(image.name, image.runs, image.version, image.offers, image.patches_radio)
