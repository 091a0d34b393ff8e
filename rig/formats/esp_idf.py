"""Releases of ESP-IDF and of the Arduino core on it, and what a change in one of them is.

A release is what an image's `idf` names. What depends on it is a row with its source, and code asks
`release.does(CHANGE)`: no version number stands anywhere else. Rows of the update client are in esp_idf_client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import ClassVar, Self

from rig.errors import Misuse

_TEXT = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:-(beta|rc)(\d+))?")
#: Where candidates of a release stand before it: betas, then candidates proper, then the release.
_STAGES = {"beta": 0, "rc": 1 << 8}
_FINAL = 1 << 16


@total_ordering
@dataclass(frozen=True, slots=True)
class Release:
    """A release of something; `5.5` is the first of its line, 5.5.0. A beta or candidate comes before its release."""

    major: int
    minor: int
    patch: int = 0
    candidate: int = _FINAL

    OF: ClassVar[str] = "anything"
    SUCH_AS: ClassVar[str] = "1.0, 1.0.1 or 1.1-rc1"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `5.5`, `v5.4.2` or `6.1-beta1`. Raises Misuse."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise Misuse(f"{text!r} is no release of {cls.OF}", hint=f"such as {cls.SUCH_AS}")
        major, minor, patch, stage, number = match.groups()
        return cls(int(major), int(minor), int(patch or 0), _STAGES[stage] + int(number) if stage else _FINAL)

    def does(self, change: Change) -> bool:
        """Whether `change` holds in this release."""
        return any(first <= self and (end is None or self < end) for first, end in change.ranges)

    def __lt__(self, other: Release) -> bool:
        return self._order < other._order

    def __str__(self) -> str:
        line = f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch else "")
        if self.candidate == _FINAL:
            return line
        stage = max(_STAGES, key=lambda name: (_STAGES[name] <= self.candidate, _STAGES[name]))
        return f"{line}-{stage}{self.candidate - _STAGES[stage]}"

    @property
    def _order(self) -> tuple[int, int, int, int]:
        return self.major, self.minor, self.patch, self.candidate


@dataclass(frozen=True, slots=True)
class Idf(Release):
    """A release of ESP-IDF."""

    OF: ClassVar[str] = "ESP-IDF"
    SUCH_AS: ClassVar[str] = "5.1, 5.5.4 or 6.1-beta1"


#: What is taken for one of which nothing is told.
STANDARD = Idf(5, 4)


@dataclass(frozen=True, slots=True)
class ArduinoCore(Release):
    """A release of the Arduino core for ESP32s."""

    OF: ClassVar[str] = "the Arduino core"
    SUCH_AS: ClassVar[str] = "2.0.17 or 3.3"

    @property
    def idf(self) -> Idf:
        """The release of ESP-IDF that it is built on. Raises Misuse for a core that nobody here knows."""
        known = _IDF_OF_CORES.get((self.major, self.minor))
        if known is None:
            lines = ", ".join(f"{major}.{minor}" for major, minor in _IDF_OF_CORES)
            raise Misuse(f"which ESP-IDF Arduino core {self} is built on is not known", hint=f"one of {lines}")
        return Idf.parse(known)

    @classmethod
    def on(cls, idf: Idf) -> ArduinoCore:
        """The newest line of cores that is built on no later line of ESP-IDF."""
        fits = [line for line, of in _IDF_OF_CORES.items() if _line(Idf.parse(of)) <= _line(idf)]
        return cls(*(fits[-1] if fits else next(iter(_IDF_OF_CORES))))


def _line(release: Release) -> tuple[int, int]:
    return release.major, release.minor


#: Lines of the Arduino core, oldest first, by the ESP-IDF in each (its release notes).
_IDF_OF_CORES = {
    (1, 0): "3.3.5",
    (2, 0): "4.4.7",
    (3, 0): "5.1.4",
    (3, 1): "5.3.2",
    (3, 2): "5.4.1",
    (3, 3): "5.5.1",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Something that some releases do and others do not, and where that is to be read."""

    about: str
    source: str
    #: From which release on, up to (not including) which; None: to this day.
    ranges: tuple[tuple[Release, Release | None], ...]


def since(first: str, before: str | None = None, of: type[Release] = Idf) -> tuple[tuple[Release, Release | None], ...]:
    """The ranges of what came with `first`, and went with `before`."""
    return ((of.parse(first), of.parse(before) if before else None),)


def during(*spans: str) -> tuple[tuple[Release, Release | None], ...]:
    """The ranges of what several lines of ESP-IDF got, or lost, each for itself: `4.4.7..5.0`, `5.3..`."""
    halves = (span.split("..") for span in spans)
    return tuple((Idf.parse(first), Idf.parse(end) if end else None) for first, end in halves)


# -- second stage ------------------------------------------------------------------------------------------------------

REVISION_CHECK_TEXT = Change(
    "a refused revision is told as `chip revision check failed. Required…`",
    "bootloader_common_loader.c:46,56; reference/esp32.md §12.1",
    since("5.5"),
)
