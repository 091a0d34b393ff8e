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

#: Answers that are kept of each question, and pages of which it is known what they fold to.
_KEPT, _FOLDED = 16, 1024
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

    folded = lru_cache(maxsize=_FOLDED)(esp_image.xor_of)

    @lru_cache(maxsize=_KEPT)
    def is_the_image_good(pages: Pages) -> Verdict | None:
        stretch = _Stretch(pages, offset - offset % len(pages[0]), folded)
        try:
            return Verdict.on(esp_image.load(stretch.read, offset, size, chip, release, stretch.fold))
        except _Outside:
            return None

    return is_the_image_good


def _which_is_it(find: Callable[[bytes], Image | None], begin: int, size: int) -> Callable[[Pages], Image | None]:
    @lru_cache(maxsize=_KEPT)
    def which_application(pages: Pages) -> Image | None:
        return find(b"".join(pages)[begin : begin + size])

    return which_application


class _Stretch:
    """Pages that begin at flash offset `base`; `folded` knows what most of them fold to."""

    def __init__(self, pages: Pages, base: int, folded: Callable[[bytes], int]):
        self._pages, self._base, self._size, self._folded = pages, base, len(pages[0]), folded

    def read(self, offset: int, length: int) -> bytes:
        first, last, begin = self._place(offset, length)
        return b"".join(self._pages[first : last + 1])[begin : begin + length]

    def fold(self, offset: int, length: int) -> int:
        """The whole pages of it one by one, and what is left at both ends."""
        first, last, begin = self._place(offset, length)
        if last - first < 2:
            return esp_image.xor_of(self.read(offset, length))
        end = begin + length - (last - first) * self._size
        folded = esp_image.xor_of(self._pages[first][begin:]) ^ esp_image.xor_of(self._pages[last][:end])
        for page in self._pages[first + 1 : last]:
            folded ^= self._folded(page)
        return folded

    def _place(self, offset: int, length: int) -> tuple[int, int, int]:
        """First and last page, and where it begins in the first. Raises _Outside."""
        at = offset - self._base
        first, last = at // self._size, (at + length - 1) // self._size
        if last >= len(self._pages):
            raise _Outside
        return first, last, at - first * self._size
