"""How an ESP32's second stage was built, as far as a twin must know: the `boots` table of an image in the manifest."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rig.families.esp32.firmware.releases import STANDARD_IDF, IdfName
from rig.families.esp32.formats.boot_config import LogLevel
from rig.families.esp32.formats.idf import Idf


class EspBoots(BaseModel):
    """Options of a bootloader build (ESP-IDF's Kconfig.projbuild)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rollback: bool = False
    anti_rollback: bool = False
    idf: IdfName = STANDARD_IDF
    log_level: LogLevel = "info"

    @property
    def release(self) -> Idf:
        """Its release of ESP-IDF."""
        return Idf.parse(self.idf)
