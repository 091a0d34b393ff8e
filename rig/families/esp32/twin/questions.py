"""What an ESP32's programs ask of flash that is less than to read it: is this image good, and which one is it.

A start depends on the answers and on nothing else of these pages (rig.twin.footprint).
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

#: Answers that are kept of each question.
_KEPT = 16
Pages = tuple[bytes, ...]


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
        if image.refused is not None:
            return cls(True, image.refused.crashes, (), image)
        return cls(False, False, image.segments, image)


class Questions:
    """Questions about the partitions of a board that knows its images by `find`.

    Boards that start again and again from nearly the same flash share them: what the same pages answered before is
    known, and to hash an application is most of what a start costs.
    """

    def __init__(self, find: Callable[[bytes], Image | None]):
        self._find = find
        self._good: dict[tuple[int, int, Chip, Idf], Callable[[Pages], Verdict | None]] = {}
        self._which: dict[tuple[int, int], Callable[[Pages], Image | None]] = {}

    def checked(self, flash: Nor, read: Reader, offset: int, size: int, chip: Chip, release: Idf) -> EspImage:
        """The image in a partition as a second stage finds it; `read` is for one that reaches out of it."""
        verdict = None
        if size and offset + size <= flash.size:
            key = offset, size, chip, release
            question = self._good.get(key) or self._good.setdefault(key, _is_it_good(*key))
            verdict = flash.ask(question, offset, size)
        return verdict.image if verdict is not None else esp_image.load(read, offset, size, chip, release)

    def application(self, flash: Nor, offset: int, size: int) -> Image | None:
        """Which application lies in a partition; None for one that nobody knows."""
        key = offset % flash.page, size
        question = self._which.get(key) or self._which.setdefault(key, _which_is_it(self._find, *key))
        return flash.ask(question, offset, size)


class _Outside(Exception):
    """What is read is not all among the pages."""


def _is_it_good(offset: int, size: int, chip: Chip, release: Idf) -> Callable[[Pages], Verdict | None]:
    """The question. None: the image reaches out of its partition, so that its pages do not tell."""

    @lru_cache(maxsize=_KEPT)
    def is_the_image_good(pages: Pages) -> Verdict | None:
        page = len(pages[0])
        try:
            return Verdict.on(esp_image.load(_reader(pages, offset - offset % page), offset, size, chip, release))
        except _Outside:
            return None

    return is_the_image_good


def _which_is_it(find: Callable[[bytes], Image | None], begin: int, size: int) -> Callable[[Pages], Image | None]:
    @lru_cache(maxsize=_KEPT)
    def which_application(pages: Pages) -> Image | None:
        return find(b"".join(pages)[begin : begin + size])

    return which_application


def _reader(pages: Pages, base: int) -> Reader:
    """Reads from pages that begin at flash offset `base`."""
    page = len(pages[0])

    def read(offset: int, length: int) -> bytes:
        at = offset - base
        first, last = at // page, (at + length - 1) // page
        if last >= len(pages):
            raise _Outside
        return b"".join(pages[first : last + 1])[at - first * page :][:length]

    return read
