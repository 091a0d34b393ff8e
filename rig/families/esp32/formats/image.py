"""ESP32 images: header, segments, checksum, appended SHA-256 and app description, and how a loader checks them.

Who loads what, and in which order, is in esp_boot; signatures are in esp_signature. Facts: ESP-IDF's
esp_app_format.h and esp_image_format.c.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.chip import Chip, revision_name
from rig.families.esp32.formats.header import HEADER_SIZE, UNSET_REVISIONS, Header, Refused, check_header
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.ram import check_ram

#: Reads flash: (offset, length) -> bytes. A short answer means that there is no such flash.
Reader = Callable[[int, int], bytes]
#: XOR of all bytes of a stretch of flash: (offset, length) -> byte.
Fold = Callable[[int, int], int]

CHECKSUM_SEED = 0xEF
DIGEST_SIZE = 32
SIXTEEN_MB = 0x100_0000
MMU_PAGE = 0x1_0000

_SEGMENT = struct.Struct("<II")
SEGMENT_HEADER_SIZE = _SEGMENT.size

#: The release that is meant where none is named.
USUAL = Idf(5, 4, 2)

DESCRIPTION_MAGIC = 0xABCD_5432
DESCRIPTION_OFFSET = HEADER_SIZE + SEGMENT_HEADER_SIZE
DESCRIPTION_SIZE = 256
_DESCRIPTION = struct.Struct("<II8x32s32s16s16s32s32sHHxB")


def wrapping(read: Reader, size: int) -> Reader:
    """Reads a flash of `size` bytes as the chip does: beyond its end it begins again, up to what can be addressed."""

    def reader(offset: int, length: int) -> bytes:
        if offset + length <= size or offset + length > SIXTEEN_MB or not size:
            return read(offset, length)
        found, at = b"", offset
        while len(found) < length:
            found += read(at % size, min(length - len(found), size - at % size))
            at = offset + len(found)
        return found

    return reader


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: flash offset of its data, the address it is for, its length in bytes."""

    offset: int
    address: int
    length: int


@dataclass(frozen=True, slots=True)
class AppDescription:
    """Who an application says it is; the first 182 bytes of its first segment.

    `spi_mode` is how it was built to talk to flash, as a number of sdkconfig's; 0 before ESP-IDF 6.1.
    """

    secure_version: int
    version: str
    project: str
    time: str
    date: str
    idf: str
    elf_sha256: bytes
    min_efuse_block: int
    max_efuse_block: int
    spi_mode: int

    @classmethod
    def unpack(cls, raw: bytes) -> AppDescription | None:
        """Read a description; None where there is none."""
        if len(raw) < _DESCRIPTION.size:
            return None
        magic, secure_version, *texts, digest, low, high, spi_mode = _DESCRIPTION.unpack_from(raw)
        if magic != DESCRIPTION_MAGIC:
            return None
        version, project, time, date, idf = (_text(field) for field in texts)
        return cls(secure_version, version, project, time, date, idf, digest, low, high, spi_mode)


def read_description(read: Reader, offset: int) -> AppDescription | None:
    """The description of the application at flash offset `offset`; nothing else of it is looked at."""
    return AppDescription.unpack(read(offset + DESCRIPTION_OFFSET, DESCRIPTION_SIZE))


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
    #: What was said of the header.
    notes: tuple[str, ...] = ()
    release: Idf = USUAL

    @property
    def secure_version(self) -> int:
        """What anti-rollback compares; 0 without a description."""
        return self.description.secure_version if self.description else 0

    def console(self, loading: bool = True) -> list[str]:
        """What is printed while it is walked; only a loader says `load`."""
        lines = list(self.notes)
        zero, unit = ("", "h") if self.release.does(esp_idf.SHORT_SEGMENT_LINE) else ("0x", "")
        for number, segment in enumerate(self.segments):
            place = f"paddr={zero}{segment.offset:08x} vaddr={zero}{segment.address:08x}"
            use = "load" if loading and self.chip.loads(segment.address) else ""
            use = "map" if self.chip.maps(segment.address) else use
            size = f"size={zero}{segment.length:05x}{unit} ({segment.length:6d})"
            lines.append(f"I esp_image: segment {number}: {place} {size} {use}".rstrip())
        return [*lines, *self.refused.lines] if self.refused else lines


def load(read: Reader, offset: int, size: int, chip: Chip, release: Idf = USUAL, fold: Fold | None = None) -> Image:
    """Check the image in the partition of `size` bytes at `offset` as the second stage does before it starts it.

    `release` is that of ESP-IDF, where it shows. A refusal is in the result, never raised (esp_image_format.c). `fold`
    is for who has folded most of it before.
    """
    return _Walk(read, offset, size, chip, release, loading=True, fold=fold).image()


def verify(read: Reader, offset: int, size: int, chip: Chip, release: Idf = USUAL) -> Image:
    """Check an image as a running application does after an update: like `load`, but no RAM is in its way."""
    return _Walk(read, offset, size, chip, release, loading=False).image()


class _Walk:
    """One way through an image, in the loader's order: header, segments, checksum, room, digest.

    Data is read when the last two are computed: most images that are refused are refused before.
    """

    def __init__(
        self, read: Reader, offset: int, size: int, chip: Chip, release: Idf, *, loading: bool, fold: Fold | None = None
    ):
        self._fold = fold or (lambda at, length: xor_of(read(at, length)))
        self._flash, self._offset, self._size, self._chip = read, offset, size, chip
        self._release, self._loading = release, loading
        self._at = offset
        self._segments: list[Segment] = []
        self._notes: tuple[str, ...] = ()
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
            notes=self._notes,
            release=self._release,
        )

    def _walk(self) -> None:
        if self._size > SIXTEEN_MB:
            raise Refused("size", f"partition size 0x{self._size:x} invalid, larger than 16MB")
        if self._loading and self._offset % 4:
            text = f"bootloader_flash_read src_addr 0x{self._offset:x} not 4-byte aligned"
            raise Refused("alignment", text, "bootloader_flash")
        raw = self._take(HEADER_SIZE)
        self._header = header = Header.unpack(raw)
        self._notes = check_header(header, self._offset, self._chip, self._release)
        for number in range(header.segments):
            self._segment(number)
        self._checksum()
        hashed = self._at - self._offset
        if header.hashed:
            self._digest = self._take(DIGEST_SIZE)
        length = self._at - self._offset
        if length > self._size:
            raise Refused("size", f"Image length {length} doesn't fit in partition length {self._size}")
        if header.hashed and self._digest != self._sha256(hashed):
            raise Refused("digest", "Image hash failed - image is corrupt")

    def _segment(self, number: int) -> None:
        address, length = _SEGMENT.unpack(self._take(SEGMENT_HEADER_SIZE))
        segment = Segment(self._at, address, length)
        _check_segment(number, segment, self._chip)
        self._segments.append(segment)
        if self._loading and length and self._chip.loads(address):
            check_ram(number, address, length, self._chip, self._release)
        if not length:
            return
        if number == 0 and self._chip.efuse_block is not None and self._release.does(esp_idf.CHECKS_EFUSE_BLOCK):
            _check_efuse_block(self._flash(self._at, _DESCRIPTION.size), self._chip.efuse_block)
        if not self._flash(self._at + length - 1, 1):
            self._refuse_end(length)
        self._at += length

    def _checksum(self) -> None:
        done = self._at - self._offset
        tail, folded = self._take(16 - done % 16), CHECKSUM_SEED
        for segment in self._segments:
            folded ^= self._fold(segment.offset, segment.length) if segment.length else 0
        if tail[-1] != folded:
            raise Refused("checksum", f"Checksum failed. Calculated 0x{folded:x} read 0x{tail[-1]:x}")

    def _take(self, length: int) -> bytes:
        data = self._flash(self._at, length)
        if len(data) < length:
            self._refuse_end(length)
        self._at += length
        return data

    def _sha256(self, length: int) -> bytes:
        sha, end = hashlib.sha256(), self._offset + length
        for at in range(self._offset, end, MMU_PAGE):
            sha.update(self._flash(at, min(MMU_PAGE, end - at)))
        return sha.digest()

    def _refuse_end(self, length: int) -> NoReturn:
        raise Refused("end of flash", f"bootloader_mmap(0x{self._at:x}, 0x{length:x}) failed")


def _check_efuse_block(raw: bytes, found: int) -> None:
    """An image's wishes are believed even where it has no description, as the genuine loader does."""
    if len(raw) < _DESCRIPTION.size:
        return
    low, high = _DESCRIPTION.unpack_from(raw)[-2:]
    for relation, wanted, met in ((">=", low, low <= found), ("<=", high, found <= high)):
        if wanted not in UNSET_REVISIONS and not met:
            text = (
                f"Image requires efuse blk rev {relation} {revision_name(wanted)}, but chip is {revision_name(found)}"
            )
            raise Refused("efuse block", text, "boot_comm")


def _check_segment(number: int, segment: Segment, chip: Chip) -> None:
    if segment.length % 4 or segment.length >= SIXTEEN_MB:
        raise Refused("length", f"invalid segment length 0x{segment.length:x}")
    if chip.maps(segment.address) and (segment.offset - segment.address) % MMU_PAGE:
        text = f"Segment {number} load address 0x{segment.address:08x}, doesn't match data 0x{segment.offset:08x}"
        raise Refused("alignment", text)


def xor_of(data: bytes) -> int:
    """XOR of all bytes, by halving: a loop over bytes would be what a start spends its time on."""
    while len(data) > 1:
        half = len(data) // 2
        merged = int.from_bytes(data[:half], "little") ^ int.from_bytes(data[half : 2 * half], "little")
        data = merged.to_bytes(half, "little") + data[2 * half :]
    return data[0] if data else 0


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "replace")
