"""Recipes of synthetic images: a few numbers that always make the same bytes. A family may add its own."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rig.firmware.seeded_bytes import seeded_bytes


class AnyRecipe(BaseModel):
    """What every recipe is: an own `kind`, told apart by its text, and numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def build(self) -> bytes:
        """The bytes. Raises Misuse for numbers that make none."""


class NoiseRecipe(AnyRecipe):
    """Noise behind two given words: an application as a bootloader sees it (stack pointer, entry)."""

    kind: Literal["noise"]
    seed: str
    length: int = Field(ge=8, le=1 << 21)
    word0: int = Field(ge=0, le=0xFFFF_FFFF)
    word1: int = Field(ge=0, le=0xFFFF_FFFF)

    def build(self) -> bytes:
        """The bytes."""
        words = self.word0.to_bytes(4, "little") + self.word1.to_bytes(4, "little")
        return words + seeded_bytes(self.seed, self.length)[8:]


class FillRecipe(AnyRecipe):
    """One byte, over and over."""

    kind: Literal["fill"]
    byte: int = Field(ge=0, le=255)
    length: int = Field(ge=1, le=1 << 21)

    def build(self) -> bytes:
        """The bytes."""
        return bytes([self.byte]) * self.length


class TextRecipe(AnyRecipe):
    """A line of text, repeated: what somebody flashes who took the wrong file."""

    kind: Literal["text"]
    line: str = Field(min_length=1)
    times: int = Field(ge=1, le=100_000)

    def build(self) -> bytes:
        """The bytes."""
        return (self.line + "\n").encode() * self.times


COMMON_RECIPES: tuple[type[AnyRecipe], ...] = (NoiseRecipe, FillRecipe, TextRecipe)
Recipe = Annotated[NoiseRecipe | FillRecipe | TextRecipe, Field(discriminator="kind")]
