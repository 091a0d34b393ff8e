"""Images for Cores as the rig's firmware rooms ask for them: rig.firmware.image_rules says what each member is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.families.spark_core.firmware.details import CoreDetails
from rig.families.spark_core.firmware.image import PRODUCT, VENDOR, unwrap
from rig.families.spark_core.formats.flash import APP_SIZE, BOOTLOADER_SIZE, GENERATIONS, plausible_first_word
from rig.firmware.file_kinds import kind_of
from rig.firmware.identification import APPLICATION, Identification
from rig.firmware.image_rules import Bootloaders, Example, ImageRules

if TYPE_CHECKING:
    from rig.firmware.faults import Fault
    from rig.firmware.manifest import Image

_VERSION = "# A Core's file tells no version: how the image speaks with its cloud goes by it.\n"


class CoreImages(ImageRules[CoreDetails]):
    """Applications. What a Core's is called stands nowhere in its file."""

    kind = "spark-core"
    details = CoreDetails
    roles = frozenset({"probe", "fast", "deep_update"})
    bootloaders = Bootloaders(GENERATIONS, BOOTLOADER_SIZE)
    example = Example("core", {"old": f'{_VERSION}version = "0.2.0"\n', "new": f'{_VERSION}version = "0.2.1"\n'})

    def identify(self, data: bytes) -> Identification | None:
        """By the stack pointer it begins with, which is little: what anybody else knows is none."""
        if not plausible_first_word(data) or kind_of(data) is not None:
            return None
        return Identification(APPLICATION, len(data), board=self.kind, chip="STM32")

    def room(self, roles: Mapping[str, Image]) -> int:
        """The application area."""
        return APP_SIZE

    def fault_of_file(self, image: Image, identified: Identification, roles: set[str]) -> Fault | None:
        """Its bootloader is asked."""
        from rig.firmware.faults import Fault

        if len(image) > APP_SIZE:
            return Fault(image.name, f"{len(image):,} bytes, and a Core has room for {APP_SIZE:,}")
        if not plausible_first_word(image.data):
            hint = "a Core's application begins with its stack pointer: the .bin file of a build"
            return Fault(image.name, f"it is {identified.with_article}, which no Core would start", hint)
        return None

    def release(self, content: bytes, name: str) -> bytes:
        """An application that its bootloader would start, without its DFU suffix or DfuSe container."""
        data = self.for_this_board(*unwrap(content, name), name, VENDOR, PRODUCT)
        if len(data) <= APP_SIZE and plausible_first_word(data):
            return data
        kind = kind_of(data)
        what = f" but {kind}" if kind is not None else f": {len(data):,} bytes, beginning with {data[:4].hex()}"
        hint = f"at most {APP_SIZE:,} bytes, a stack pointer in RAM first"
        raise Misuse(f"{name} is nothing a Core could run{what}", hint=hint)


IMAGES = CoreImages()
