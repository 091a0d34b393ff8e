"""Releases of ESP-IDF and of the Arduino core on it, and what a change in one of them is.

A release is what an image's `idf` names. What depends on it is a row with its source, and code asks
`release.does(CHANGE)`: no version number stands anywhere else. Rows of the update client are in esp_idf_client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering
from typing import ClassVar, Self

from rig.errors import Misuse

_TEXT = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:-(dev|beta|rc)(\d*))?(?:-\d+-g[0-9a-f]+)?(?:-dirty)?", re.ASCII)
#: What comes before a release, in this order.
_STAGES = {"dev": 0, "beta": 1 << 8, "rc": 2 << 8}
_FINAL = 3 << 8


@total_ordering
@dataclass(frozen=True, slots=True)
class Release:
    """A release of something; `5.5` is the first of its line, 5.5.0. A beta or candidate comes before its release.

    A build between two releases, as `git describe` names it, counts as the one before.
    """

    major: int
    minor: int
    patch: int = 0
    candidate: int = _FINAL

    OF: ClassVar[str] = "anything"
    SUCH_AS: ClassVar[str] = "1.0, 1.0.1 or 1.1-rc1"

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> Self:
        """Of `5.5`, `v5.4.2`, `6.1-beta1` or `v5.5.1-838-gd66ebb8`. Raises Misuse."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise Misuse(f"{text!r} is no release of {cls.OF}", hint=f"such as {cls.SUCH_AS}")
        major, minor, patch, stage, number = match.groups()
        return cls(int(major), int(minor), int(patch or 0), _STAGES[stage] + int(number or 0) if stage else _FINAL)

    def does(self, change: Change) -> bool:
        """Whether `change` holds in this release."""
        return _does(self, change)

    def __lt__(self, other: Release) -> bool:
        return self._order < other._order

    def __str__(self) -> str:
        line = f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch else "")
        if self.candidate == _FINAL:
            return line
        stage = max(_STAGES, key=lambda name: (_STAGES[name] <= self.candidate, _STAGES[name]))
        return f"{line}-{stage}{self.candidate - _STAGES[stage] or ''}"

    @property
    def _order(self) -> tuple[int, int, int, int]:
        return self.major, self.minor, self.patch, self.candidate


@dataclass(frozen=True, slots=True)
class Idf(Release):
    """A release of ESP-IDF."""

    OF: ClassVar[str] = "ESP-IDF"
    SUCH_AS: ClassVar[str] = "5.1, 5.5.4 or 6.1-beta1"


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


@lru_cache(maxsize=1024)
def _does(release: Release, change: Change) -> bool:
    """Kept: a start asks it some forty times."""
    return any(first <= release and (end is None or release < end) for first, end in change.ranges)


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

CHECKS_CHIP = Change(
    "an image for another chip, or for a later major revision (header byte 14), is refused",
    "esp_image_format.c verify_image_header, v3.3 and v3.3.1",
    since("3.3.1"),
)
SAYS_MINIMUM_REVISION = Change(
    "a later revision is refused as `This chip is revision…`, not as `can't run on lower chip revision…`",
    "bootloader_common_loader.c bootloader_common_check_chip_validity, v4.2 and v4.3",
    since("4.3-rc"),
)
FULL_REVISIONS = Change(
    "major and minor revision are compared, with a minimum and a maximum; header byte 14 is not looked at",
    "bootloader_common_loader.c bootloader_common_check_chip_validity",
    (*since("4.3.5", "4.4-beta1"), *since("4.4.5", "5.0-beta1"), *since("5.0.1")),
)
REVISION_CHECK_TEXT = Change(
    "a refused revision is told as `chip revision check failed. Required…`, and ends the check",
    "bootloader_common_loader.c:46,56",
    since("5.5-beta1"),
)
MAGIC_ENDS_CHECK = Change(
    "after a wrong first byte nothing else of the header is looked at",
    "esp_image_format.c verify_image_header, v4.3 and v4.3.1",
    since("4.3.1"),
)
IGNORES_SPI_FIELDS = Change(
    "nothing is said of an image's own flash mode, speed and size",
    "esp_image_format.c verify_image_header, v4.3.7 and v4.4",
    since("4.4"),
)
SHORT_SEGMENT_LINE = Change(
    "a segment is told as `paddr=00010020 … size=00228h`, not as `paddr=0x00010020 … size=0x00228`",
    "esp_image_format.c process_segment, v4.2 and v4.3",
    since("4.3-beta1"),
)
CHECKS_EFUSE_BLOCK = Change(
    "the revision of the eFuse blocks is told and compared (chips that have one)",
    "esp_image_format.c process_segment_data, bootloader_init.c",
    (*since("5.1.7", "5.2-beta1"), *since("5.2.3", "5.3-beta1"), *since("5.3.2")),
)
CHECKS_LOAD_ADDRESSES = Change(
    "a segment must lie in one memory that may be loaded, and off the second stage's own",
    "esp_image_format.c verify_load_addresses, v3.3.5 and v3.3.6, v4.0.4 and v4.1",
    (*since("3.3.6", "4.0-beta1"), *since("4.1-beta2")),
)
RIGHT_DRAM_START = Change(
    "an ESP32's DRAM begins at 0x3FFAE000, not at 0x3FAE0000", "soc.h SOC_DRAM_LOW, v3.3.6 and v4.0", since("4.0")
)
INVERTED_ALIAS = Change(
    "memory that an ESP32 has as DRAM and IRAM lies in opposite orders", "soc.h SOC_DIRAM_INVERTED", since("4.1")
)
SEGMENTS_REACH_THE_END = Change(
    "a segment may reach the last byte of a memory",
    "esp_image_format.c verify_load_addresses, load_inclusive_end_p",
    since("4.3.2"),
)
MORE_IRAM = Change("an ESP32's IRAM reaches to 0x400AA000, not 0x400A0000", "soc.h SOC_IRAM_HIGH", since("5.1"))
NEEDS_BOTH_MAPPINGS = Change(
    "an application without IROM or DROM ends in abort() when its mappings are set up",
    "cache_ll.h cache_ll_l1_get_bus, from v5.0",
    since("5.0"),
)
BLANK_TABLE_IS_WRONG = Change(
    "the first row of a partition table may not be the end of it",
    "flash_partitions.c:58",
    since("5.5-beta1"),
)
SIZES_MAY_NOT_WRAP = Change(
    "a partition whose end wraps around 32 bits is beyond the flash",
    "flash_partitions.c esp_partition_table_verify, v6.0.2 and v6.1-beta1",
    since("6.1-beta1"),
)
NAMES_BOOTLOADER_ROWS = Change(
    "rows for second stages and partition tables have names",
    "bootloader_utility.c bootloader_utility_load_partition_table, v5.3.5 and v5.4-beta1",
    since("5.4-beta1"),
)
NAMES_RECOVERY_ROW = Change(
    "so has the row for a recovery second stage", "the same, v5.4.4 and v5.5-beta1", since("5.5-beta1")
)
SAYS_TWO_SECTORS = Change(
    "the least size of otadata is told as 8192 bytes, not as the 32 of a record",
    "bootloader_utility.c read_otadata, v4.3.7 and v4.4",
    since("4.4-beta1"),
)
SAYS_NO_DESCRIPTION = Change(
    "with anti-rollback an image without a description is told",
    "bootloader_utility.c check_anti_rollback",
    (*since("4.1.3", "4.2-beta1"), *since("4.2.3", "4.3-beta1"), *since("4.3.3", "4.4-beta1"), *since("4.4-rc1")),
)
GUARDS_TEST_APP = Change(
    "anti-rollback holds for the test application too",
    "bootloader_utility.c bootloader_utility_load_boot_image, v4.2.5 and v4.3",
    since("4.3"),
)
NAMES_CHIP_IN_TAG = Change(
    "flash parameters are told with the tag boot.CHIP, before the RNG is enabled; the revision after the release",
    "bootloader_esp32.c, v4.0.4 and v4.1",
    since("4.1"),
)
SAYS_FULL_REVISION = Change(
    "the chip's revision is told as v3.0, not as 3",
    "bootloader_init.c bootloader_check_bootloader_validity",
    (*since("4.3.5", "4.4-beta1"), *since("4.4.4")),
)
SAYS_CORES = Change(
    "`Multicore bootloader` is told",
    "bootloader_init.c bootloader_print_banner",
    (*since("4.4.6", "5.0-beta1"), *since("5.0.3")),
)
