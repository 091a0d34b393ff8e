"""Recipes of synthetic images: a few numbers that always make the same bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rig.errors import Misuse
from rig.firmware.noise import stream
from rig.formats.partition_table import LAYOUTS


class _Recipe(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NoiseRecipe(_Recipe):
    """Noise behind two given words: an application as the bootloader sees it (stack pointer, entry)."""

    kind: Literal["noise"]
    seed: str
    length: int = Field(ge=8, le=1 << 21)
    word0: int = Field(ge=0, le=0xFFFF_FFFF)
    word1: int = Field(ge=0, le=0xFFFF_FFFF)

    def build(self) -> bytes:
        """The bytes."""
        words = self.word0.to_bytes(4, "little") + self.word1.to_bytes(4, "little")
        return words + stream(self.seed, self.length)[8:]


class FillRecipe(_Recipe):
    """One byte, over and over."""

    kind: Literal["fill"]
    byte: int = Field(ge=0, le=255)
    length: int = Field(ge=1, le=1 << 21)

    def build(self) -> bytes:
        """The bytes."""
        return bytes([self.byte]) * self.length


class TextRecipe(_Recipe):
    """A line of text, repeated: what somebody flashes who took the wrong file."""

    kind: Literal["text"]
    line: str = Field(min_length=1)
    times: int = Field(ge=1, le=100_000)

    def build(self) -> bytes:
        """The bytes."""
        return (self.line + "\n").encode() * self.times


class EspAppRecipe(_Recipe):
    """An ESP32's image of noise, laid out by esptool; `variant` is what somebody should refuse of it, by name."""

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
        from rig.firmware.esp_images import App, build_variant

        fields = self.model_dump(include={"seed", "version", "secure_version", "irom", "described", "spi_mode"})
        return build_variant(App(**fields), self.variant, self.slot)


class EspBootloaderRecipe(_Recipe):
    """An ESP32's second stage of noise, for so many megabytes of flash."""

    kind: Literal["esp-bootloader"]
    seed: str
    size: int = Field(ge=16, le=24 << 10, multiple_of=4)
    flash: Literal[1, 2, 4, 8, 16] = 4

    def build(self) -> bytes:
        """The bytes."""
        from rig.firmware.esp_bootloader import build_bootloader, for_flash

        return for_flash(build_bootloader(self.seed, self.size), self.flash << 20)


class EspTableRecipe(_Recipe):
    """The partition table of a usual layout, by name."""

    kind: Literal["esp-table"]
    layout: str

    def build(self) -> bytes:
        """The bytes. Raises Misuse for a layout that nobody knows."""
        if self.layout not in LAYOUTS:
            raise Misuse(f"no layout is called {self.layout!r}", hint=f"one of {', '.join(LAYOUTS)}")
        return LAYOUTS[self.layout].pack()


Recipe = Annotated[
    NoiseRecipe | FillRecipe | TextRecipe | EspAppRecipe | EspBootloaderRecipe | EspTableRecipe,
    Field(discriminator="kind"),
]
