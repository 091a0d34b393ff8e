"""What the rig is to know of images for pinboards: how one is told, made, and refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from pinboard import KIND
from pinboard.formats import ROOM, image_in, pack, version_of
from rig.errors import Misuse
from rig.firmware.faults import Fault
from rig.firmware.identification import APPLICATION, Identification
from rig.firmware.image_rules import Details, ImageRules
from rig.firmware.manifest import Image
from rig.firmware.recipe import AnyRecipe
from rig.firmware.seeded_bytes import seeded_bytes


class PinboardRecipe(AnyRecipe):
    """An application that does nothing but to run: a header, and noise."""

    kind: Literal["pinboard-app"]
    says: str = Field(max_length=20)
    length: int = Field(ge=64, le=ROOM)

    def build(self) -> bytes:
        """The bytes."""
        return pack(self.says, seeded_bytes(self.says, self.length))


class PinboardImages(ImageRules[Details]):
    """Applications, which tell their version."""

    kind = KIND
    details = Details
    recipes = (PinboardRecipe,)

    def identify(self, data: bytes) -> Identification | None:
        """By its header and its checksum."""
        if image_in(data) is None:
            return None
        return Identification(APPLICATION, len(data), board=self.kind, chip=KIND, version=version_of(data))

    def room(self, roles: Mapping[str, Image]) -> int:
        """The application area."""
        return ROOM

    def fault_of_file(self, image: Image, told: Identification, roles: set[str]) -> Fault | None:
        """What the bootloader would not start, or has no room for."""
        if image_in(image.data) is None:
            return Fault(image.name, f"it is {told.with_article}, which no pinboard would start")
        return Fault(image.name, f"more than {ROOM:,} bytes") if len(image) > ROOM else None

    def release(self, content: bytes, name: str) -> bytes:
        """An application that a pinboard would start. Raises Misuse."""
        data = super().release(content, name)
        if image_in(data) is None:
            raise Misuse(f"{name} is no image for a pinboard", hint="a PIN1 header with a checksum that is right")
        return data
