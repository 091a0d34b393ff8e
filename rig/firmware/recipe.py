"""Recipes of synthetic images: a few numbers that always make the same bytes."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


def stream(seed: str, length: int) -> bytes:
    """The first `length` bytes of SHA-256(seed ‖ LE32(0)) ‖ SHA-256(seed ‖ LE32(1)) ‖ …."""
    blocks = (hashlib.sha256(seed.encode() + at.to_bytes(4, "little")).digest() for at in range(-(-length // 32)))
    return b"".join(blocks)[:length]


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


Recipe = Annotated[NoiseRecipe | FillRecipe | TextRecipe, Field(discriminator="kind")]
