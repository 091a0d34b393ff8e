"""What is known of a Core's application area: which image lies there, and how that behaves."""

from __future__ import annotations

from dataclasses import dataclass

from rig.families.spark_core.firmware.details import details_of
from rig.firmware.catalogue import Catalogue

ERASED, MIXED = "erased", "mixed"


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of an application area: its name, and how it behaves (`runs` is None when nobody knows it)."""

    name: str
    runs: str | None = None
    version: str = "0.2.1"
    offers: str = "tinker"
    patches_radio: str | None = None


class CoreCatalogue(Catalogue):
    """Known images for Cores by content."""

    def identify(self, area: bytes) -> Identity:
        """What lies in an area; one that nobody knows is `erased` or `mixed`."""
        if area == b"\xff" * len(area):
            return Identity(ERASED)
        image = self.find(area)
        if image is None:
            return Identity(MIXED)
        details = details_of(image)
        return Identity(image.name, image.runs, image.version, details.offers, details.patches_radio)
