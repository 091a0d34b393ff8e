"""What an ESP32's programs ask of flash that is less than to read it: is this image good, and which one is it.

A start depends on the answers and on nothing else of these pages (rig.twin.footprint). What was asked of the same pages
before is known: to hash an application is most of what a start costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.chip import Chip
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.image import Image as EspImage
from rig.families.esp32.formats.image import Reader, Segment
from rig.firmware.manifest import Image
from rig.twin.flash import Nor

#: Questions that are kept, and answers to each; what a board boots again and again is among the last few.
_QUESTIONS, _ANSWERS = 256, 16


@dataclass(frozen=True, slots=True)
class Verdict:
    """An image that was checked. Two are equal where a start goes on the same way: what it prints does not count."""

    refused: bool
    crashes: bool
    segments: tuple[Segment, ...]
    image: EspImage = field(compare=False)

    @classmethod
    def on(cls, image: EspImage) -> Verdict:
        """What a start makes of an image."""
        refused = image.refused
        segments = () if refused else image.segments
        return cls(refused is not None, refused is not None and refused.crashes, segments, image)


def checked(flash: Nor, read: Reader, offset: int, size: int, chip: Chip, release: Idf) -> EspImage:
    """The image in a partition of `size` bytes as a second stage finds it; `read` is for one that reaches out of it."""
    verdict = None
    if size and offset + size <= flash.size:
        verdict = flash.ask(_is_it_good(offset, size, chip, release), offset, size)
    return verdict.image if verdict is not None else esp_image.load(read, offset, size, chip, release)


def application(flash: Nor, find: Callable[[bytes], Image | None], offset: int, size: int) -> Image | None:
    """Which application lies in a partition; None for one that nobody knows."""
    return flash.ask(_which_is_it(find, offset % flash.page, size), offset, size)


class _Outside(Exception):
    """What is read is not all among the pages."""


@lru_cache(maxsize=_QUESTIONS)
def _is_it_good(offset: int, size: int, chip: Chip, release: Idf) -> Callable[[tuple[bytes, ...]], Verdict | None]:
    """The question; one object for the same partition, chip and release. None: the image reaches out of its pages."""

    @lru_cache(maxsize=_ANSWERS)
    def is_the_image_good(pages: tuple[bytes, ...]) -> Verdict | None:
        page = len(pages[0])
        try:
            return Verdict.on(esp_image.load(_reader(pages, offset - offset % page), offset, size, chip, release))
        except _Outside:
            return None

    return is_the_image_good


@lru_cache(maxsize=_QUESTIONS)
def _which_is_it(
    find: Callable[[bytes], Image | None], begin: int, size: int
) -> Callable[[tuple[bytes, ...]], Image | None]:
    """The question; one object for what knows the same images."""

    @lru_cache(maxsize=_ANSWERS)
    def which_application(pages: tuple[bytes, ...]) -> Image | None:
        return find(b"".join(pages)[begin : begin + size])

    return which_application


def _reader(pages: tuple[bytes, ...], base: int) -> Reader:
    """Reads from pages that begin at flash offset `base`."""
    page = len(pages[0])

    def read(offset: int, length: int) -> bytes:
        at = offset - base
        first, last = at // page, (at + length - 1) // page
        if last >= len(pages):
            raise _Outside
        return b"".join(pages[first : last + 1])[at - first * page :][:length]

    return read
