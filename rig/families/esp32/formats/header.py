"""The header of an ESP32 image, and what loaders of each release of ESP-IDF make of it before they look further.

Sources: esp_image_format.c, bootloader_common_loader.c at the tags that esp_idf names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.chip import Chip, revision_name
from rig.families.esp32.formats.idf import Idf

MAGIC = 0xE9
MAX_SEGMENTS = 16
UNSET_REVISIONS = (0, 0xFFFF)
_HEADER = struct.Struct("<BBBBI4xHBHH4xB")
HEADER_SIZE = _HEADER.size
#: A second stage is not asked for its latest revision.
Kind = Literal["application", "bootloader"]
_SLOW_READ, _SPEED_80M, _SIZE_MAX = 5, 0xF, 5


@dataclass(frozen=True, slots=True)
class Header:
    """The first 24 bytes of an image; revisions as major*100+minor."""

    segments: int
    entry: int
    chip_id: int = 0
    min_revision: int = 0
    max_revision: int = 0xFFFF
    hashed: bool = True
    magic: int = MAGIC
    spi_mode: int = 2
    spi_speed_size: int = 0x20
    #: Byte 14, which older releases go by.
    min_major: int = 0

    @classmethod
    def unpack(cls, raw: bytes) -> Header:
        """Read a header, whatever it says. `raw` is at least 24 bytes."""
        magic, segments, mode, speed_size, entry, chip_id, major, low, high, hashed = _HEADER.unpack_from(raw)
        return cls(segments, entry, chip_id, low, high, hashed != 0, magic, mode, speed_size, major)


class Refused(Exception):
    """Why an image is not taken: `reason` is a word for programs, the text is what a console shows, tag and all.

    `lines` is everything that is said then, `crashes` whether the loader does not survive it.
    """

    def __init__(
        self, reason: str, text: str, tag: str = "esp_image", *, lines: tuple[str, ...] = (), crashes: bool = False
    ):
        super().__init__(f"E {tag}: {text}" if tag else text)
        self.reason = reason
        self.lines = lines or (str(self),)
        self.crashes = crashes


@dataclass(frozen=True, slots=True)
class _Finding:
    """A line that is said, and why the image is refused; "" where it is not."""

    reason: str
    line: str


def check_header(header: Header, offset: int, chip: Chip, release: Idf) -> tuple[str, ...]:
    """What is said of the header of an image at flash offset `offset` that is taken. Raises Refused."""
    return _taken(_findings(header, offset, chip, release))


def check_own_header(header: Header, chip: Chip, release: Idf) -> tuple[str, ...]:
    """What a second stage says of its own header where it goes on. Raises Refused."""
    return _taken(_check_chip(header, chip, release, "bootloader")) if release.does(esp_idf.CHECKS_CHIP) else ()


def _taken(findings: Iterable[_Finding]) -> tuple[str, ...]:
    found = list(findings)
    lines = tuple(finding.line for finding in found)
    for finding in found:
        if finding.reason:
            raise Refused(finding.reason, finding.line, "", lines=lines)
    return lines


def _findings(header: Header, offset: int, chip: Chip, release: Idf) -> Iterator[_Finding]:
    refused = False
    if header.magic != MAGIC:
        ends = release.does(esp_idf.MAGIC_ENDS_CHECK)
        hint = " (nothing flashed here?)" if ends else ""
        yield _Finding("magic", f"E esp_image: image at 0x{offset:x} has invalid magic byte{hint}")
        if ends:
            return
        refused = True
    if release.does(esp_idf.CHECKS_CHIP):
        for finding in _check_chip(header, chip, release, "application"):
            refused = refused or bool(finding.reason)
            yield finding
    if not release.does(esp_idf.IGNORES_SPI_FIELDS):
        yield from _spi_warnings(header, offset)
    if header.segments > MAX_SEGMENTS and not refused:
        text = f"image at 0x{offset:x} segment count {header.segments} exceeds max {MAX_SEGMENTS}"
        yield _Finding("segments", f"E esp_image: {text}")


def _check_chip(header: Header, chip: Chip, release: Idf, kind: Kind) -> Iterator[_Finding]:
    """Chip and revision; a release that knows only major revisions looks at them even in another chip's image."""
    in_full = release.does(esp_idf.FULL_REVISIONS)
    if header.chip_id != chip.chip_id:
        text = f"mismatch chip ID, expected {chip.chip_id}, found {header.chip_id}"
        yield _Finding("chip", f"E boot_comm: {text}")
        if in_full:
            return
    yield from (_check_revisions if in_full else _check_major)(header, chip, release, kind)


def _check_revisions(header: Header, chip: Chip, release: Idf, kind: Kind) -> Iterator[_Finding]:
    low, high = header.min_revision, header.max_revision
    if low > chip.revision:
        yield _Finding("revision", _revision_text(">=", low, chip, release))
        if release.does(esp_idf.REVISION_CHECK_TEXT):
            return
    if kind == "application" and high not in UNSET_REVISIONS and chip.revision > high:
        yield _Finding("revision", _revision_text("<=", high, chip, release))


def _revision_text(relation: str, wanted: int, chip: Chip, release: Idf) -> str:
    required, found = revision_name(wanted), revision_name(chip.revision)
    if release.does(esp_idf.REVISION_CHECK_TEXT):
        text = f"chip revision check failed. Required {relation} {required}, found {found}."
    else:
        text = f"Image requires chip rev {relation} {required}, but chip is {found}"
    return f"E boot_comm: {text}"


def _check_major(header: Header, chip: Chip, release: Idf, kind: Kind) -> Iterator[_Finding]:
    found, wanted = chip.plain_revision, header.min_major
    if found < wanted and release.does(esp_idf.SAYS_MINIMUM_REVISION):
        text = f"This chip is revision {found} but the application is configured for minimum revision {wanted}."
        yield _Finding("revision", f"E boot_comm: {text} Can't run.")
    elif found < wanted:
        yield _Finding("revision", f"E boot_comm: can't run on lower chip revision, expected {found}, found {wanted}")
    elif found != wanted:
        yield _Finding("", f"I boot_comm: chip revision: {found}, min. {kind} chip revision: {wanted}")


def _spi_warnings(header: Header, offset: int) -> Iterator[_Finding]:
    speed, size = header.spi_speed_size & 0xF, header.spi_speed_size >> 4
    for name, value, most in (
        ("mode", header.spi_mode, _SLOW_READ),
        ("speed", speed, _SPEED_80M),
        ("size", size, _SIZE_MAX),
    ):
        if value > most:
            yield _Finding("", f"W esp_image: image at 0x{offset:x} has invalid SPI {name} {value}")
