"""Recipes of synthetic images for ESP32s: applications and second stages of noise, and partition tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rig.errors import Misuse
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.firmware.recipe import AnyRecipe


class EspAppRecipe(AnyRecipe):
    """An application of noise, laid out by esptool; `variant` is what somebody should refuse of it, by name."""

    kind: Literal["esp-app"]
    seed: str
    version: str = Field(default="1.0.0", max_length=31)
    secure_version: int = Field(default=0, ge=0, le=32)
    irom: int = Field(default=2048, ge=4, le=1 << 20)
    described: bool = True
    #: The SPI mode of flash that its description tells: 0 none, as before ESP-IDF 6.1; 1 QIO, 2 QOUT, 3 DIO, 4 DOUT.
    spi_mode: int = Field(default=0, ge=0, le=5)
    variant: str = "good"
    #: Bytes of the slot it is for, where the variant asks.
    slot: int = Field(default=0, ge=0, le=1 << 22)

    def build(self) -> bytes:
        """The bytes."""
        from rig.families.esp32.firmware.images import App, build_variant

        fields = self.model_dump(include={"seed", "version", "secure_version", "irom", "described", "spi_mode"})
        return build_variant(App(**fields), self.variant, self.slot)


class EspBootloaderRecipe(AnyRecipe):
    """A second stage of noise, for so many megabytes of flash."""

    kind: Literal["esp-bootloader"]
    seed: str
    size: int = Field(ge=16, le=24 << 10, multiple_of=4)
    flash: Literal[1, 2, 4, 8, 16] = 4

    def build(self) -> bytes:
        """The bytes."""
        from rig.families.esp32.firmware.bootloader import build_bootloader, for_flash

        return for_flash(build_bootloader(self.seed, self.size), self.flash << 20)


class EspTableRecipe(AnyRecipe):
    """The partition table of a usual layout, by name."""

    kind: Literal["esp-table"]
    layout: str

    def build(self) -> bytes:
        """The bytes. Raises Misuse for a layout that nobody knows."""
        if self.layout not in LAYOUTS:
            raise Misuse(f"no layout is called {self.layout!r}", hint=f"one of {', '.join(LAYOUTS)}")
        return LAYOUTS[self.layout].pack()
