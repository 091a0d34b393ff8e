"""ESP32 images: header, segments, checksum, appended SHA-256 and app description, and how a loader checks them.

Who loads what, and in which order, is in esp_boot; signatures are in esp_signature (reference/esp32.md §2.1, §2.2).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

from rig.formats.esp_chip import Chip, named
from rig.formats.esp_idf import REVISION_CHECK_TEXT, STANDARD, Idf

#: Reads flash: (offset, length) -> bytes. A short answer means that there is no such flash.
Reader = Callable[[int, int], bytes]

MAGIC = 0xE9
MAX_SEGMENTS = 16
CHECKSUM_SEED = 0xEF
DIGEST_SIZE = 32
SIXTEEN_MB = 0x100_0000
MMU_PAGE = 0x1_0000
UNSET_REVISIONS = (0, 0xFFFF)

_HEADER = struct.Struct("<BBBBI4xHxHH4xB")
_SEGMENT = struct.Struct("<II")
HEADER_SIZE = _HEADER.size
SEGMENT_HEADER_SIZE = _SEGMENT.size

DESCRIPTION_MAGIC = 0xABCD_5432
DESCRIPTION_OFFSET = HEADER_SIZE + SEGMENT_HEADER_SIZE
DESCRIPTION_SIZE = 256
_DESCRIPTION = struct.Struct("<II8x32s32s16s16s32s32sHH")


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

    @classmethod
    def unpack(cls, raw: bytes) -> Header:
        """Read a header, whatever it says. `raw` is at least 24 bytes."""
        magic, segments, mode, speed_size, entry, chip_id, low, high, hashed = _HEADER.unpack_from(raw)
        return cls(segments, entry, chip_id, low, high, hashed != 0, magic, mode, speed_size)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: flash offset of its data, the address it is for, its length in bytes."""

    offset: int
    address: int
    length: int


@dataclass(frozen=True, slots=True)
class AppDescription:
    """Who an application says it is; the first 180 bytes of its first segment."""

    secure_version: int
    version: str
    project: str
    time: str
    date: str
    idf: str
    elf_sha256: bytes
    min_efuse_block: int
    max_efuse_block: int

    @classmethod
    def unpack(cls, raw: bytes) -> AppDescription | None:
        """Read a description; None where there is none."""
        if len(raw) < _DESCRIPTION.size:
            return None
        magic, secure_version, *texts, digest, low, high = _DESCRIPTION.unpack_from(raw)
        if magic != DESCRIPTION_MAGIC:
            return None
        version, project, time, date, idf = (_text(field) for field in texts)
        return cls(secure_version, version, project, time, date, idf, digest, low, high)


def read_description(read: Reader, offset: int) -> AppDescription | None:
    """The description of the application at flash offset `offset`; nothing else of it is looked at."""
    return AppDescription.unpack(read(offset + DESCRIPTION_OFFSET, DESCRIPTION_SIZE))


class Refused(Exception):
    """Why an image is not taken: `reason` is a word for programs, the text is what a console shows, tag and all."""

    def __init__(self, reason: str, text: str, tag: str = "esp_image"):
        super().__init__(f"E {tag}: {text}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was walked: as far as `refused` says, or to its end and found good."""

    offset: int
    chip: Chip
    segments: tuple[Segment, ...] = ()
    header: Header | None = None
    #: With padding, checksum and digest; of a refused one, how far it was walked.
    length: int = 0
    digest: bytes | None = None
    description: AppDescription | None = None
    refused: Refused | None = None

    @property
    def secure_version(self) -> int:
        """What anti-rollback compares; 0 without a description."""
        return self.description.secure_version if self.description else 0

    def console(self, loading: bool = True) -> list[str]:
        """What is printed while it is walked; only a loader says `load`."""
        lines = []
        for number, segment in enumerate(self.segments):
            place = f"paddr={segment.offset:08x} vaddr={segment.address:08x}"
            use = "load" if loading and self.chip.loads(segment.address) else ""
            use = "map" if self.chip.maps(segment.address) else use
            size = f"size={segment.length:05x}h ({segment.length:6d})"
            lines.append(f"I esp_image: segment {number}: {place} {size} {use}".rstrip())
        return [*lines, str(self.refused)] if self.refused else lines


def load(read: Reader, offset: int, size: int, chip: Chip, release: Idf = STANDARD) -> Image:
    """Check the image in the partition of `size` bytes at `offset` as the second stage does before it starts it.

    `release` is that of ESP-IDF, where it shows. A refusal is in the result, never raised (reference/esp32.md §2.1).
    """
    return _Walk(read, offset, size, chip, release, loading=True).image()


def verify(read: Reader, offset: int, size: int, chip: Chip, release: Idf = STANDARD) -> Image:
    """Check an image as a running application does after an update: like `load`, but no RAM is in its way."""
    return _Walk(read, offset, size, chip, release, loading=False).image()


class _Walk:
    """One way through an image, in the loader's order: header, segments, checksum, room, digest."""

    def __init__(self, read: Reader, offset: int, size: int, chip: Chip, release: Idf, *, loading: bool):
        self._flash, self._offset, self._size, self._chip = read, offset, size, chip
        self._release, self._loading = release, loading
        self._at = offset
        self._folded = CHECKSUM_SEED
        self._sha = hashlib.sha256()
        self._segments: list[Segment] = []
        self._header: Header | None = None
        self._digest: bytes | None = None

    def image(self) -> Image:
        refused = None
        try:
            self._walk()
        except Refused as refusal:
            refused = refusal
        return Image(
            offset=self._offset,
            chip=self._chip,
            segments=tuple(self._segments),
            header=self._header,
            length=self._at - self._offset,
            digest=self._digest,
            description=None if refused else read_description(self._flash, self._offset),
            refused=refused,
        )

    def _walk(self) -> None:
        if self._size > SIXTEEN_MB:
            raise Refused("size", f"partition size 0x{self._size:x} invalid, larger than 16MB")
        raw = self._take(HEADER_SIZE)
        self._header = header = Header.unpack(raw)
        _check_header(header, self._offset, self._chip, self._release)
        for number in range(header.segments):
            self._segment(number)
        self._checksum()
        computed = self._sha.digest()
        if header.hashed:
            self._digest = self._take(DIGEST_SIZE)
        length = self._at - self._offset
        if length > self._size:
            raise Refused("size", f"Image length {length} doesn't fit in partition length {self._size}")
        if header.hashed and self._digest != computed:
            raise Refused("digest", "Image hash failed - image is corrupt")

    def _segment(self, number: int) -> None:
        address, length = _SEGMENT.unpack(self._take(SEGMENT_HEADER_SIZE))
        segment = Segment(self._at, address, length)
        _check_segment(number, segment, self._chip)
        self._segments.append(segment)
        if self._loading and length and self._chip.loads(address):
            _check_ram(number, segment, self._chip)
        if not length:
            return
        if number == 0 and self._chip.efuse_block is not None:
            _check_efuse_block(self._flash(self._at, _DESCRIPTION.size), self._chip.efuse_block)
        self._folded ^= _fold(self._take(length))

    def _checksum(self) -> None:
        done = self._at - self._offset
        tail = self._take(16 - done % 16)
        if tail[-1] != self._folded:
            raise Refused("checksum", f"Checksum failed. Calculated 0x{self._folded:x} read 0x{tail[-1]:x}")

    def _take(self, length: int) -> bytes:
        data = self._flash(self._at, length)
        if len(data) < length:
            raise Refused("end of flash", f"bootloader_mmap(0x{self._at:x}, 0x{length:x}) failed")
        self._sha.update(data)
        self._at += length
        return data


def _check_header(header: Header, offset: int, chip: Chip, release: Idf) -> None:
    if header.magic != MAGIC:
        raise Refused("magic", f"image at 0x{offset:x} has invalid magic byte (nothing flashed here?)")
    if header.chip_id != chip.chip_id:
        text = f"mismatch chip ID, expected {chip.chip_id}, found {header.chip_id}"
        raise Refused("chip", text, "boot_comm")
    if header.min_revision > chip.revision:
        raise Refused("revision", _revision_text(">=", header.min_revision, chip, release), "boot_comm")
    if header.max_revision not in UNSET_REVISIONS and chip.revision > header.max_revision:
        raise Refused("revision", _revision_text("<=", header.max_revision, chip, release), "boot_comm")
    if header.segments > MAX_SEGMENTS:
        text = f"image at 0x{offset:x} segment count {header.segments} exceeds max {MAX_SEGMENTS}"
        raise Refused("segments", text)


def _revision_text(relation: str, wanted: int, chip: Chip, release: Idf) -> str:
    if release.does(REVISION_CHECK_TEXT):
        return f"chip revision check failed. Required {relation} {named(wanted)}, found {named(chip.revision)}."
    return f"Image requires chip rev {relation} {named(wanted)}, but chip is {named(chip.revision)}"


def _check_efuse_block(raw: bytes, found: int) -> None:
    """An image's wishes are believed even where it has no description, as the genuine loader does."""
    if len(raw) < _DESCRIPTION.size:
        return
    low, high = _DESCRIPTION.unpack_from(raw)[-2:]
    for relation, wanted, met in ((">=", low, low <= found), ("<=", high, found <= high)):
        if wanted not in UNSET_REVISIONS and not met:
            text = f"Image requires efuse blk rev {relation} {named(wanted)}, but chip is {named(found)}"
            raise Refused("efuse block", text, "boot_comm")


def _check_segment(number: int, segment: Segment, chip: Chip) -> None:
    if segment.length % 4 or segment.length >= SIXTEEN_MB:
        raise Refused("length", f"invalid segment length 0x{segment.length:x}")
    if chip.maps(segment.address) and (segment.offset - segment.address) % MMU_PAGE:
        text = f"Segment {number} load address 0x{segment.address:08x}, doesn't match data 0x{segment.offset:08x}"
        raise Refused("alignment", text)


def _check_ram(number: int, segment: Segment, chip: Chip) -> None:
    end = segment.address + segment.length
    if not chip.has_ram(segment.address, end):
        text = f"Segment {number} 0x{segment.address:08x}-0x{end:08x} invalid: bad load address range"
        raise Refused("address", text)


def _fold(data: bytes) -> int:
    """XOR of all bytes, by halving: a loop over bytes would be what a start spends its time on."""
    while len(data) > 1:
        half = len(data) // 2
        merged = int.from_bytes(data[:half], "little") ^ int.from_bytes(data[half : 2 * half], "little")
        data = merged.to_bytes(half, "little") + data[2 * half :]
    return data[0] if data else 0


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "replace")
