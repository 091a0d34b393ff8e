"""How the second stage was built that an area of flash begins with, by what a manifest lists."""

from __future__ import annotations

from collections.abc import Iterable

from rig.families.esp32.firmware.details import boots_of
from rig.families.esp32.firmware.second_stages import SecondStages
from rig.families.esp32.formats.boot_config import BootConfig, SecureVersion
from rig.families.esp32.formats.flash_parameters import FlashParameters
from rig.families.esp32.formats.header import Header
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.steps import Bootloaders
from rig.firmware.manifest import Image


def bootloaders_of(images: Iterable[Image]) -> Bootloaders:
    """Tells those among some images."""
    stages = SecondStages(image for image in images if boots_of(image) is not None)

    def find(area: bytes, chip: Chip) -> BootConfig | None:
        image = stages.find(area)
        boots = boots_of(image) if image is not None else None
        if boots is None:
            return None
        fuse = SecureVersion(lambda: chip.secure_version, chip.raise_secure_version)
        header = Header.unpack(area)
        flash = FlashParameters.of(header)
        return BootConfig(
            chip=chip.model,
            header=header,
            rollback=boots.rollback,
            flash_size=flash.size,
            spi_mode=flash.mode,
            spi_speed=flash.speed,
            secure_version=fuse if boots.anti_rollback else None,
            release=boots.release,
            log_level=boots.log_level,
            version=f"v{boots.idf}",
        )

    return find
