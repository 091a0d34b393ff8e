"""What a run tested: firmware, manifest, rig, boards and the choice of tests. It is data; pages show it as a head."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from rig.evidence.results import NOT_RUN, TestResult, short_identity
from rig.evidence.testbed import UNKNOWN, VIRTUAL_TIERS, PlaceUsed, Testbed, Text


class ImageUsed(BaseModel):
    """An image by its identity; `sha256` is over the whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    board: Text
    version: Text
    sha256: Text


class RunIdentity(BaseModel):
    """`began` is UTC in ISO 8601; `firmware` is what the manifest offers, or, once narrowed, what tests used of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Text
    began: Text
    rig: Text
    manifest: Text
    manifest_sha256: Text
    selection: Text
    testbed: Testbed
    firmware: tuple[ImageUsed, ...] = ()

    def narrowed(self, results: Iterable[TestResult]) -> RunIdentity:
        """The same run with the firmware and places that tests say they used: those that were run."""
        images: set[str] = set()
        places: dict[str, PlaceUsed] = {}
        for properties in (result.properties for result in results if result.result != NOT_RUN):
            images.update(properties.get("firmware", "").split())
            if name := properties.get("place"):
                used = PlaceUsed(
                    name=name, board=properties.get("board", UNKNOWN), tier=properties.get("tier", UNKNOWN)
                )
                if name not in places or places[name].tier not in VIRTUAL_TIERS:  # once seen as a twin, it is one
                    places[name] = used
        testbed = self.testbed.model_copy(update={"places": tuple(places[name] for name in sorted(places))})
        firmware = tuple(image for image in self.firmware if short_identity(image.name, image.sha256) in images)
        return self.model_copy(update={"testbed": testbed, "firmware": firmware})
