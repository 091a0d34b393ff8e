"""Images of ESP32 applications without a compiler: esptool lays them out, a recipe fills them with noise.

And the images somebody should refuse, by name (ESP-IDF's esp_image_format.c). Signed ones are in esp_signing.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rig.errors import Misuse
from rig.families.esp32.formats.image import DESCRIPTION_MAGIC, DESCRIPTION_SIZE
from rig.firmware.seeded_bytes import seeded_bytes

#: Addresses of DROM, DRAM, IRAM (where it is entered) and IROM.
_ADDRESSES = {
    "esp32": (0x3F40_0020, 0x3FFB_0000, 0x4008_0000, 0x400D_0020),
    "esp32c3": (0x3C00_0020, 0x3FC9_0000, 0x4038_0000, 0x4201_0020),
}
_TEXTS = {"version": 32, "name": 32, "idf": 32}
_DESCRIPTION = struct.Struct("<II8x32s32s16s16s32s32sHHBB")
_MMU_PAGE_LOG2 = 16
#: DROM and RAM must leave IROM the last segment, so that its size alone makes the length.
_MOST_BEFORE_IROM = 0xF000
_TRUNCATED_HEADER, _TRUNCATED = 180, 64_000
_FLIPPED_AT = 0x200


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application to build: who it says it is, and how large it is; the same recipe makes the same bytes.

    Sizes are bytes of each memory beyond the description; revisions are major*100+minor. Raises Misuse for a field
    that no image could have.
    """

    seed: str
    name: str = "twin"
    version: str = "1.0.0"
    secure_version: int = 0
    chip: str = "esp32"
    min_revision: int = 0
    max_revision: int = 399
    idf: str = "v5.4.2"
    #: CONFIG_ESPTOOLPY_FLASHMODE_VAL, which builds of ESP-IDF 6.1 and later tell: 1 QIO, 2 QOUT, 3 DIO, 4 DOUT.
    spi_mode: int = 0
    drom: int = 1024
    dram: int = 64
    iram: int = 256
    irom: int = 2048
    #: Without one there is only noise in its place.
    described: bool = True

    def __post_init__(self) -> None:
        if self.chip not in _ADDRESSES:
            raise Misuse(f"chip {self.chip!r} is unknown", hint=f"one of {', '.join(_ADDRESSES)}")
        for field, room in _TEXTS.items():
            text: str = getattr(self, field)
            if not text.isascii() or len(text) >= room:
                raise Misuse(f"{field} {text!r} is not ASCII of fewer than {room} characters")
        for field in ("secure_version", "min_revision", "max_revision", "drom", "dram", "iram", "irom"):
            value: int = getattr(self, field)
            if not 0 <= value <= (0xFFFF if field.endswith("revision") else 0xFF_FFFF):
                raise Misuse(f"{field} {value} is out of range")
        if not 0 <= self.spi_mode <= 0xFF:
            raise Misuse(f"spi_mode {self.spi_mode} is out of range")
        if self.drom + self.dram + self.iram > _MOST_BEFORE_IROM or self.irom < 4:
            raise Misuse(f"drom, dram and iram are more than {_MOST_BEFORE_IROM} bytes, or irom is less than 4")


def build_app(app: App, length: int | None = None) -> bytes:
    """The bytes of `app`; with `length` its IROM is made as large as that takes. Raises Misuse."""
    if length is None:
        return _save(app)
    shortest = len(_save(replace(app, irom=4)))
    if length % 16 or length < shortest:
        raise Misuse(f"no image of this recipe is {length} bytes", hint=f"a multiple of 16 from {shortest} on")
    # Lengths of images are apart by 16, and IROM is the last segment: what it grows by, the image grows by.
    return _save(replace(app, irom=4 + length - shortest))


def describe(app: App) -> bytes:
    """The 256 bytes that say who the application is (ESP-IDF's esp_app_desc.h)."""
    texts = (app.version, app.name, "00:00:00", "Jan  1 2026", app.idf)
    digest = hashlib.sha256(app.seed.encode()).digest()
    fields = (text.encode() for text in texts)
    raw = _DESCRIPTION.pack(DESCRIPTION_MAGIC, app.secure_version, *fields, digest, 0, 0, _MMU_PAGE_LOG2, app.spi_mode)
    return raw.ljust(DESCRIPTION_SIZE, b"\0")


def _save(app: App) -> bytes:
    from esptool.bin_image import ELFSection

    drom, dram, iram, irom = _ADDRESSES[app.chip]
    head = describe(app) if app.described else seeded_bytes(f"{app.seed}/head", DESCRIPTION_SIZE)
    image = _empty_image(app.chip)
    image.entrypoint = iram
    image.flash_mode, image.flash_size_freq = 2, 0x20
    image.min_rev_full, image.max_rev_full = app.min_revision, app.max_revision
    image.segments = [
        ELFSection(b".flash.rodata", drom, head + seeded_bytes(f"{app.seed}/drom", app.drom), 0),
        ELFSection(b".iram0.text", iram, seeded_bytes(f"{app.seed}/iram", app.iram), 0),
        ELFSection(b".dram0.data", dram, seeded_bytes(f"{app.seed}/dram", app.dram), 0),
        ELFSection(b".flash.text", irom, seeded_bytes(f"{app.seed}/irom", app.irom), 0),
    ]
    return bytes(image.save(None))


def _empty_image(chip: str) -> Any:
    from esptool import bin_image

    return bin_image.ESP32C3FirmwareImage() if chip == "esp32c3" else bin_image.ESP32FirmwareImage()


def _flipped(image: bytes) -> bytes:
    return image[:_FLIPPED_AT] + bytes([image[_FLIPPED_AT] ^ 0x10]) + image[_FLIPPED_AT + 1 :]


def _older(app: App) -> bytes:
    if not app.secure_version:
        raise Misuse("secure_version is 0, none is lower", hint="give the recipe a higher one")
    return build_app(replace(app, secure_version=app.secure_version - 1))


def _for_another_chip(app: App) -> bytes:
    other = next(chip for chip in _ADDRESSES if chip != app.chip)
    return build_app(replace(app, chip=other))


_Variant = Callable[[App, int], bytes]
#: What becomes of a recipe, for a slot of so many bytes.
VARIANTS: dict[str, _Variant] = {
    "good": lambda app, _slot: build_app(app),
    "truncated-header": lambda app, _slot: build_app(app)[:_TRUNCATED_HEADER],
    "truncated": lambda app, _slot: build_app(app)[:_TRUNCATED],
    "flipped-byte": lambda app, _slot: _flipped(build_app(app)),
    "wrong-chip": lambda app, _slot: _for_another_chip(app),
    "min-rev-300": lambda app, _slot: build_app(replace(app, min_revision=300)),
    "lower-secure-version": lambda app, _slot: _older(app),
    "no-description": lambda app, _slot: build_app(replace(app, described=False)),
    "wrong-first-byte": lambda app, _slot: b"\x7f" + build_app(app)[1:],
    "exact-slot-size": lambda app, slot: build_app(app, slot),
    "slot-size-plus-1": lambda app, slot: build_app(app, slot) + b"\xff",
}


def build_variant(app: App, name: str, slot_size: int) -> bytes:
    """`app` as the variant called `name`. Raises Misuse for an unknown one."""
    if name not in VARIANTS:
        raise Misuse(f"no variant of an image is called {name!r}", hint=f"one of {', '.join(VARIANTS)}")
    return VARIANTS[name](app, slot_size)
