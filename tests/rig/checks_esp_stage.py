"""Named checks of test_mutants about second stages, release by release; test_esp_stage runs them too.

A case is flash, what a start says or does then, and for which releases that holds and for which it does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from esp_raw import DROM, SMALL, TABLE, flash_of, raw_image, started, with_segment

from rig.formats.esp_boot import BootResult
from rig.formats.esp_boot_config import SecureVersion
from rig.formats.otadata import Record
from rig.formats.partition_table import DATA, OTADATA, Partition, PartitionTable


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


def table(*rows: Partition, raw: bytes | None = None) -> Callable[[], bytearray]:
    return lambda: flash_of(raw_image(), PartitionTable(rows or TABLE.rows) if raw is None else raw)


def with_otadata(offset: int, size: int, *records: Record) -> Callable[[], bytearray]:
    """Arduino's layout with otadata elsewhere, and these records in it."""

    def make() -> bytearray:
        rows = [
            replace(row, offset=offset, size=size) if row.subtype == OTADATA and row.type == DATA else row
            for row in TABLE.rows
        ]
        flash = flash_of(raw_image(), PartitionTable(rows))
        for number, record in enumerate(records):
            flash[offset + number * 0x1000 : offset + number * 0x1000 + 32] = record.pack()
        return flash

    return make


def rows_and_digest(*order: int) -> bytes:
    """Rows of Arduino's table by number, -1 for the MD5 row of those before it."""
    raw = b""
    for number in order:
        raw += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(raw).digest() if number < 0 else TABLE.rows[number].pack()
    return raw.ljust(0xC00, b"\xff")


NOT_DESCRIBED = raw_image()
FUSE = SecureVersion(lambda: 0, lambda _version: None)
WRAPPED = replace(TABLE.rows[0], offset=0x9000, size=0xFFFF_FFFF - 0x8000)
LONG = replace(TABLE.rows[0], label="sixteen_letters_")
OLD, BYTE_14 = ("3.3.1", "3.3.6", "4.2"), ("4.3", "4.4", "4.4.4", "5.0")
FULL = ("4.3.5", "4.4.5", "4.4.8", "5.0.1", "5.1", "5.2", "5.3.1", "5.4.2")
NEW = ("5.5", "5.5.1", "5.5.5", "6.0", "6.0.2", "6.1-beta1", "6.1")
ENDS_APP, ENDS_RESET, HANGS = "ends app", "ends SW_SYS_RST", "ends RTCWDT_RTC_RESET"

CASES = {
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
    # -- the table (§12.4, §12.5)
    "an erased table": Case(
        table(raw=b"\xff" * 0xC00), "E flash_parts: partition 0 invalid magic number 0xffff", NEW, ("3.3", *FULL)
    ),
    "an erased table is taken": Case(
        table(raw=b"\xff" * 0xC00), "E boot: No bootable app partitions", ("3.3", *FULL), NEW
    ),
    "a size that wraps around": Case(
        table(WRAPPED, *TABLE.rows[1:]),
        "E flash_parts: partition 0 invalid - offset 0x9000 size 0xffff7fff exceeds flash chip size 0x400000",
        ("6.1-beta1", "6.1"),
        ("3.3", "5.5", "6.0.2"),
    ),
    "a digest in mid-table is a row, and the last one is lost": Case(
        table(raw=rows_and_digest(0, 1, 2, -1, 3)), "I boot:  3 \xff\xff\xff\xff", ("3.3", "5.1", "5.5", "6.1")
    ),
    "a label without an end": Case(
        table(LONG, *TABLE.rows[1:]), "I boot:  0 sixteen_letters_ WiFi data", ("3.3", "5.1", "5.5", "6.1")
    ),
    "a row for a second stage": Case(
        table(*TABLE.rows, Partition("boot", 2, 0, 0x1000, 0x7000)),
        "I boot:  4 boot             primary bootloader",
        ("5.4", *NEW),
        ("5.3.5",),
    ),
    "a row for a recovery second stage": Case(
        table(*TABLE.rows, Partition("boot", 2, 2, 0x20_0000, 0x7000)),
        "I boot:  4 boot             recovery bootloader",
        NEW,
        ("5.4.4", "5.3"),
    ),
    # -- otadata (§12.5)
    "otadata of one sector": Case(
        with_otadata(0xE000, 0x1000),
        "E boot: ota_info partition size 4096 is too small (minimum 8192 bytes)",
        ("4.4", *NEW),
        ("3.3",),
    ),
    "otadata of one sector, by the size of a record": Case(
        with_otadata(0xE000, 0x1000),
        "E boot: ota_info partition size 4096 is too small (minimum 32 bytes)",
        ("3.3",),
        ("4.4", "5.5"),
    ),
    "otadata too large to be mapped": Case(
        with_otadata(0xE000, 0xFFFF_FFFF),
        "E boot: bootloader_mmap(0xe000, 0xffffffff) failed",
        ("3.3", "5.1", "5.5"),
        ("6.1",),
    ),
    "and it is told before": Case(
        with_otadata(0xE000, 0xFFFF_FFFF),
        "E bootloader_flash: bootloader_mmap excess size ffffffff",
        ("3.3", "5.1", "5.5"),
        ("6.1",),
    ),
    "otadata that does not begin at a word": Case(
        with_otadata(0xE002, 0x2000),
        "E bootloader_flash: bootloader_flash_write dest_addr 0xe002 not 4-byte aligned",
        ("3.3", "5.1", "5.5"),
    ),
    "what comes of that": Case(
        with_otadata(0xE002, 0x2000),
        "E boot: Error in write_otadata operation. err = 0xffffffff",
        ("3.3", "5.1", "5.5"),
    ),
    # -- the flash size in the header (§12.6)
    "partitions beyond the flash of the header": Case(
        table(),
        "E flash_parts: partition 3 invalid - offset 0x150000 size 0x140000 exceeds flash chip size 0x200000",
        ("3.3", "5.1", "5.5", "6.1"),
        (),
        {"flash_size": 2 << 20},
    ),
    "and the board restarts": Case(table(), ENDS_RESET, ("3.3", "5.1", "6.1"), (), {"flash_size": 2 << 20}),
    # -- anti-rollback, and what the build prints
    "no description": Case(
        of(NOT_DESCRIBED),
        "E boot: Failed to get partition description 261",
        ("4.1.3", "4.3.3", "4.4", *NEW),
        ("3.3", "4.3"),
        {"secure_version": FUSE},
    ),
    "no test application either": Case(
        of(NOT_DESCRIBED),
        "E boot: Failed to get partition description 258",
        ("4.4", *NEW),
        ("3.3",),
        {"secure_version": FUSE},
    ),
    "a build that prints errors": Case(of(b""), "E boot: No bootable app", ("5.3.1",), (), {"log_level": "error"}),
    "prints nothing else": Case(of(b""), "I boot", (), ("5.3.1",), {"log_level": "error"}),
    "a build that prints nothing": Case(of(b""), "E boot", (), ("5.3.1",), {"log_level": "none"}),
    # -- the banner
    "how many cores": Case(
        of(b""), "I boot: Multicore bootloader", ("4.4.6", "5.0.3", "5.1", *NEW), ("4.4.5", "5.0.2")
    ),
    "a revision of two numbers": Case(of(b""), "I boot: chip revision: v3.0", ("4.4.4", "5.0", *NEW), ("4.4.3",)),
    "a revision of one number": Case(of(b""), "I boot: chip revision: 3", ("4.1", "4.4", "4.4.3"), ("4.4.4", "3.3")),
    "the chip in the tag": Case(of(b""), "I boot.esp32: SPI Flash Size : 4MB", ("4.1", "4.4", *NEW), ("3.3", "4.0")),
    "no chip in the tag": Case(of(b""), "I boot: SPI Flash Size : 4MB", ("3.3", "4.0"), ("4.1", "5.5")),
}


def tells(result: BootResult, words: str) -> bool:
    """Whether a start says a line that begins so, or ends so."""
    return words == f"ends {result.end}" or any(line.startswith(words) for line in result.console)


def a_case_holds_in_its_releases(name: str) -> None:
    case = CASES[name]
    told = {
        release
        for release in (*case.holds, *case.not_in)
        if tells(started(release, case.flash(), **case.options), case.says)
    }
    assert told == set(case.holds)


def case(name: str) -> Callable[[object], None]:
    return lambda _folder: a_case_holds_in_its_releases(name)


def otadata_at_a_word_is_written_after_its_sector_is_erased(_folder: object) -> None:
    found = started("5.5", with_otadata(0xE004, 0x2000)())
    assert [(type(op).__name__, op.address) for op in found.ops] == [("Erase", 0xE000), ("Program", 0xE004)]


def a_start_that_hangs_is_no_application(_folder: object) -> None:
    found = started("5.5", flash_of(raw_image(*SMALL[1:])))
    assert (found.booted, found.end, found.console[-1][:7]) == (None, "RTCWDT_RTC_RESET", "abort()")


def reads_go_on_at_the_beginning_of_flash(_folder: object) -> None:
    """A segment that reaches beyond flash is read as the chip reads it, and its sum is wrong; nobody breaks."""
    image = bytearray(raw_image())
    image[28:32] = (0x40_0000).to_bytes(4, "little")
    found = started("5.5", flash_of(bytes(image)))
    assert not any("mmap" in line for line in found.console)
    assert found.end == "SW_SYS_RST"
