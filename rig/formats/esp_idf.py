"""Releases of ESP-IDF, and what changed in which: the one table that second stages and update clients go by.

A release is what an image's `idf` names. What depends on it is a row here with its source, and code asks
`release.does(CHANGE)`: no version number stands anywhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from rig.errors import Misuse

_TEXT = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:-(?:beta|rc)(\d+))?")
_FINAL = 1 << 16


@total_ordering
@dataclass(frozen=True, slots=True)
class Idf:
    """A release; `5.5` is the first of its line, 5.5.0. A beta or candidate comes before its release."""

    major: int
    minor: int
    patch: int = 0
    candidate: int = _FINAL

    @classmethod
    def parse(cls, text: str) -> Idf:
        """Of `5.5`, `v5.4.2` or `6.1-beta1`. Raises Misuse."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise Misuse(f"{text!r} is no release of ESP-IDF", hint="such as 5.1, 5.5.4 or 6.1-beta1")
        major, minor, patch, candidate = match.groups()
        return cls(int(major), int(minor), int(patch or 0), int(candidate) if candidate else _FINAL)

    def does(self, change: Change) -> bool:
        """Whether `change` holds in this release."""
        return any(first <= self and (end is None or self < end) for first, end in change.ranges)

    def __lt__(self, other: Idf) -> bool:
        return self._order < other._order

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch else "")

    @property
    def _order(self) -> tuple[int, int, int, int]:
        return self.major, self.minor, self.patch, self.candidate


@dataclass(frozen=True, slots=True)
class Change:
    """Something that some releases do and others do not, and where that is to be read."""

    about: str
    source: str
    #: From which release on, up to (not including) which; None: to this day.
    ranges: tuple[tuple[Idf, Idf | None], ...]


def _since(first: str, before: str | None = None) -> tuple[tuple[Idf, Idf | None], ...]:
    return ((Idf.parse(first), Idf.parse(before) if before else None),)


# -- second stage ------------------------------------------------------------------------------------------------------

REVISION_CHECK_TEXT = Change(
    "a refused revision is told as `chip revision check failed. Required…`",
    "bootloader_common_loader.c:46,56; reference/esp32.md §12.1",
    _since("5.5"),
)

# -- update client -----------------------------------------------------------------------------------------------------

REWRITES_IN_PLACE = Change(
    "esp_ota_set_boot_partition rewrites the active record where it lies when it already maps to the target",
    "esp_ota_ops.c:588; reference/esp32.md §12.7",
    _since("6.0"),
)
