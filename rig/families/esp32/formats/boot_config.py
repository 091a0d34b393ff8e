"""How a second-stage bootloader was built, on which chip it runs, and which pin is held: what esp_boot goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rig.families.esp32.formats.chip import ESP32, ESP32_C3, Chip
from rig.families.esp32.formats.header import Header
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.image import USUAL
from rig.families.esp32.formats.partition_table import FLASH_SIZE

LogLevel = Literal["none", "error", "warning", "info"]
_LEVELS = {"E ": 1, "W ": 2, "I ": 3}
_LOUDEST: dict[LogLevel, int] = {"none": 0, "error": 1, "warning": 2, "info": 3}

#: One-way bits that an ESP32 has for it (esp_efuse_table.csv).
MOST_SECURE_VERSION = 32


def no_room(version: int) -> str:
    """What the log says of a secure version that has no room in the eFuses: it is not burned."""
    return f"E efuse: Max secure version is {MOST_SECURE_VERSION}. Given {version} version can not be written."


@dataclass(frozen=True, slots=True)
class FactoryReset:
    """The factory-reset pin was held: data partitions of these labels are erased, and otadata where it says so."""

    labels: tuple[str, ...] = ("nvs",)
    otadata: bool = False


@dataclass(frozen=True, slots=True)
class SecureVersion:
    """The secure version in eFuses, real or emulated: how it is read, and how it is advanced for good."""

    read: Callable[[], int]
    advance: Callable[[int], None]

    def raise_to(self, version: int) -> list[str]:
        """Advance to `version` where it is newer; what the log says of one that has no room."""
        if version > MOST_SECURE_VERSION:
            return [no_room(version)]
        if version > self.read():
            self.advance(version)
        return []


@dataclass(frozen=True, slots=True)
class BootConfig:
    """How a bootloader was built, and the board it runs on (Kconfig.projbuild).

    `rollback` and `secure_version` (anti-rollback) are build options. `held` is the pin that was held long enough in
    this start, when the build listens to it. `release` is that of ESP-IDF, `log_level` what of its words the build
    prints. Images' signatures are not looked at.
    """

    chip: Chip = ESP32
    rollback: bool = False
    secure_version: SecureVersion | None = None
    held: FactoryReset | Literal["test"] | None = None
    #: Bytes, as the bootloader's own header says.
    flash_size: int = FLASH_SIZE
    release: Idf = USUAL
    version: str = "v5.4.2"
    log_level: LogLevel = "info"
    compiled: str | None = None
    #: The second stage's own, which it looks at too; one that asks for nothing if not given.
    header: Header | None = None
    spi_speed: str = "40MHz"
    spi_mode: str = "DIO"

    def says(self, line: str) -> bool:
        """Whether the build prints a line; what has no level is printed in any case."""
        level = _LEVELS.get(line[:2])
        return level is None or level <= _LOUDEST[self.log_level]


#: Two genuine builds that starts were recorded of, by chip.
GENUINE = {
    "esp32": BootConfig(
        chip=ESP32,
        flash_size=0x20_0000,
        release=Idf.parse("v5.2-dev-254-g1950b15"),
        version="v5.2-dev-254-g1950b15",
        spi_mode="DOUT",
    ),
    "esp32c3": BootConfig(
        chip=ESP32_C3, rollback=True, version="HEAD-HASH-NOTFOUND", spi_speed="80MHz", spi_mode="SLOW READ"
    ),
}
