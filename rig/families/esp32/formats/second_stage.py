"""The second stage that lies in flash: what its header and its own description say of how it would start a board."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from rig.errors import Misuse
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.flash_parameters import FlashParameters
from rig.families.esp32.formats.header import HEADER_SIZE, MAGIC, Header
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.image import DESCRIPTION_OFFSET, Reader

BOOTLOADER_OFFSET = 0x1000
#: esp_bootloader_desc.h: a byte 80, the release, and when it was built; from ESP-IDF 5.2 on.
_DESCRIPTION = struct.Struct("<BxxBI32s24s16x")
_DESCRIPTION_MAGIC = 80


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What one says of itself. `release` and `version` are None where it has no description."""

    header: Header
    release: Idf | None = None
    version: str | None = None
    compiled: str | None = None

    @classmethod
    def read(cls, read: Reader, offset: int = BOOTLOADER_OFFSET) -> SecondStage | None:
        """The one at flash offset `offset`; None where no image begins."""
        raw = read(offset, DESCRIPTION_OFFSET + _DESCRIPTION.size)
        if len(raw) < HEADER_SIZE or raw[0] != MAGIC:
            return None
        header = Header.unpack(raw)
        described = raw[DESCRIPTION_OFFSET:]
        if not is_described(described):
            return cls(header)
        _magic, _secure, _version, idf, built = _DESCRIPTION.unpack(described)
        version = idf.split(b"\0", 1)[0].decode("ascii", "replace")
        compiled = built.split(b"\0", 1)[0].decode("ascii", "replace") or None
        try:
            return cls(header, Idf.parse(version), version, compiled)
        except Misuse:
            return cls(header, None, version, compiled)

    @property
    def flash(self) -> FlashParameters:
        """How it talks to flash, and how much it takes there to be."""
        return FlashParameters.of(self.header)

    def config(self, usual: BootConfig) -> BootConfig:
        """How it starts a board, as far as it says; the rest as `usual`."""
        return replace(
            usual,
            header=self.header,
            flash_size=self.flash.size,
            spi_mode=self.flash.mode,
            spi_speed=self.flash.speed,
            release=self.release or usual.release,
            version=self.version or usual.version,
            compiled=self.compiled,
        )


def is_described(segment: bytes) -> bool:
    """Whether a first segment begins as a second stage's does: its description has only zeros where it has nothing."""
    if len(segment) < _DESCRIPTION.size or segment[0] != _DESCRIPTION_MAGIC:
        return False
    return segment[1:3] == b"\0\0" and segment[64:80] == bytes(16) and b"\0" in segment[8:40]
