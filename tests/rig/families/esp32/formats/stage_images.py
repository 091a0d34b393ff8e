"""What second stages of each release make of images: cases of checks_esp_stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.rig.families.esp32.formats.raw import DROM, SMALL, flash_of, raw_image, with_segment


@dataclass(frozen=True)
class Case:
    """What is in flash, and what is said of it: a line that begins so, or how the start ends."""

    flash: Callable[[], bytearray]
    says: str
    holds: tuple[str, ...]
    not_in: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def of(image: bytes) -> Callable[[], bytearray]:
    return lambda: flash_of(image)


OLD, BYTE_14 = ("3.3.1", "3.3.6", "4.2"), ("4.3", "4.4", "4.4.4", "5.0")
FULL = ("4.3.5", "4.4.5", "4.4.8", "5.0.1", "5.1", "5.2", "5.3.1", "5.4.2")
NEW = ("5.5", "5.5.1", "5.5.5", "6.0", "6.0.2", "6.1-beta1", "6.1")
ENDS_APP, ENDS_RESET, HANGS = "ends app", "ends SW_SYS_RST", "ends RTCWDT_RTC_RESET"


IMAGES = {
    # -- header (§12.1)
    "a later revision, told as a check that failed": Case(
        of(raw_image(low=400)), "E boot_comm: chip revision check failed. Required >= v4.0, found v3.0.", NEW, FULL
    ),
    "a later revision, told as what the image requires": Case(
        of(raw_image(low=400)), "E boot_comm: Image requires chip rev >= v4.0, but chip is v3.0", FULL, (*NEW, *BYTE_14)
    ),
    "an earlier revision": Case(
        of(raw_image(high=299)), "E boot_comm: chip revision check failed. Required <= v2.99, found v3.0.", NEW, FULL
    ),
    "both bounds missed are told both": Case(
        of(raw_image(low=400, high=100)), "E boot_comm: Image requires chip rev <= v1.0, but chip is v3.0", FULL, NEW
    ),
    "after the lower bound the upper one is not told": Case(
        of(raw_image(low=400, high=100)), "E boot_comm: chip revision check failed. Required <= v1.0", (), NEW
    ),
    "revisions in full do not count": Case(of(raw_image(low=400, high=100)), ENDS_APP, (*OLD, *BYTE_14, "3.3"), FULL),
    "byte 14 does not count": Case(of(raw_image(major=4)), ENDS_APP, (*FULL, *NEW, "3.3"), (*OLD, *BYTE_14)),
    "byte 14, as it was told first": Case(
        of(raw_image(major=4)), "E boot_comm: can't run on lower chip revision, expected 3, found 4", OLD, BYTE_14
    ),
    "byte 14, as it was told later": Case(
        of(raw_image(major=4)),
        "E boot_comm: This chip is revision 3 but the application is configured for minimum revision 4. Can't run.",
        BYTE_14,
        OLD,
    ),
    "byte 14 that is lower is told": Case(
        of(raw_image()),
        "I boot_comm: chip revision: 3, min. application chip revision: 0",
        (*OLD, *BYTE_14),
        (*FULL, *NEW, "3.3"),
    ),
    "another chip's image": Case(
        of(raw_image(chip=5)),
        "E boot_comm: mismatch chip ID, expected 0, found 5",
        (*OLD, *BYTE_14, *FULL, *NEW),
        ("3.3",),
    ),
    "another chip's revision is looked at": Case(
        of(raw_image(chip=5, major=4)), "E boot_comm: This chip is revision 3", BYTE_14, (*FULL, *NEW)
    ),
    "nothing flashed, with a guess": Case(
        of(b""),
        "E esp_image: image at 0x10000 has invalid magic byte (nothing flashed here?)",
        ("4.3.1", "4.4", *NEW),
        ("3.3", "4.3"),
    ),
    "nothing flashed, and its other fields are told": Case(
        of(b""), "W esp_image: image at 0x10000 has invalid SPI mode 255", ("3.3", "3.3.6", "4.2"), ("4.4", *NEW)
    ),
    "an image's own flash parameters": Case(
        of(raw_image(speed_size=0x6F)),
        "W esp_image: image at 0x10000 has invalid SPI size 6",
        ("3.3", "4.2"),
        ("4.4", "5.5"),
    ),
    "more segments than there may be": Case(
        of(raw_image(count=17)),
        "E esp_image: image at 0x10000 segment count 17 exceeds max 16",
        ("3.3", *BYTE_14, *NEW),
    ),
    "a segment, told in short": Case(
        of(raw_image()),
        "I esp_image: segment 1: paddr=00010128 vaddr=3ffb0000 size=00010h (    16) load",
        ("4.3", *NEW),
        OLD,
    ),
    "a segment, told at length": Case(
        of(raw_image()),
        "I esp_image: segment 1: paddr=0x00010128 vaddr=0x3ffb0000 size=0x00010 (    16) load",
        OLD,
        NEW,
    ),
    # -- load addresses (§12.1, §12.2)
    "over the stack": Case(
        of(with_segment(0x3FFD_C000)),
        "E esp_image: Segment 4 0x3ffdc000-0x3ffdc010 invalid: overlaps bootloader stack",
        ("3.3.6", "4.1", "4.4", *FULL, *NEW),
        ("3.3", "4.0"),
    ),
    "over the stack, by its end": Case(
        of(with_segment(0x3FFD_C000)),
        "E esp_image: Segment 4 end address 0x3ffdc010 too high (bootloader stack 0x3ffe3800 limit 0x3ffdb800)",
        ("3.3", "3.3.1", "4.0"),
        ("3.3.6", "4.1"),
    ),
    "below the stack": Case(of(with_segment(0x3FFD_B000)), ENDS_APP, ("3.3", "3.3.6", *BYTE_14, *FULL, *NEW)),
    "over its data": Case(
        of(with_segment(0x3FFF_0800)),
        "E esp_image: Segment 4 0x3fff0800-0x3fff0810 invalid: overlaps bootloader data",
        ("4.1", *FULL, *NEW),
        ("3.3",),
    ),
    "where DRAM is no IRAM": Case(
        of(with_segment(0x3FFF_4000)),
        "E esp_image: Segment 4 0x400abfec-0x400abffc invalid: bad load address range",
        ("4.4", *FULL, *NEW),
        ("3.3.6",),
    ),
    "where DRAM is IRAM since there is more": Case(
        of(with_segment(0x3FFF_8000)), ENDS_APP, ("5.1", "5.4.2", *NEW), ("4.4.8", "5.0.9")
    ),
    "in the upper IRAM": Case(of(with_segment(0x400A_4000)), ENDS_APP, ("3.3", "5.1", *NEW), ("4.4.8", "5.0.9")),
    "up to the last byte": Case(
        of(with_segment(0x5000_1FF0)), ENDS_APP, ("3.3", "4.3.2", "4.4", *NEW), ("3.3.6", "4.2", "4.3.1")
    ),
    "one word beyond the last byte": Case(
        of(with_segment(0x5000_1FF0, 20)),
        "E esp_image: Segment 4 0x50001ff0-0x50002004 invalid: bad load address range",
        ("4.4", *NEW),
        ("3.3",),
    ),
    "into RTC memory": Case(of(with_segment(0x400C_0000)), ENDS_APP, ("3.3", "3.3.6", "4.4", *FULL, *NEW)),
    "where nothing is": Case(
        of(with_segment(0x2000_0000)),
        "E esp_image: Segment 4 0x20000000-0x20000010 invalid: bad load address range",
        ("3.3.6", "4.1", *NEW),
        ("3.3", "4.0"),
    ),
    "where nothing is, unchecked": Case(of(with_segment(0x2000_0000)), HANGS, ("3.3", "4.0"), ("3.3.6", "5.5")),
    # -- mappings (§12.3)
    "no code in flash": Case(of(raw_image(*SMALL[:3])), HANGS, ("5.0", *FULL[4:], *NEW), ("3.3", "4.4", "4.4.8")),
    "no data in flash": Case(of(raw_image(*SMALL[1:])), HANGS, ("5.0", "5.1", *NEW), ("3.3", "4.4.8")),
    "no mapping, and it was loaded": Case(
        of(raw_image(*SMALL[1:])), "I boot: Loaded app from partition at offset 0x10000", ("4.4", "5.1", "5.5", "6.1")
    ),
    "two of a kind": Case(
        of(raw_image(*SMALL, (DROM, bytes(16)))),
        "E boot: Image contains multiple DROM segments. Only the last one will be mapped.",
        ("3.3", "4.4", "5.5", "6.1"),
    ),
}
