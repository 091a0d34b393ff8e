"""Named checks of test_mutants about second stages, release by release; test_esp_stage runs them too.

A case is flash, what a start says or does then, and for which releases that holds and for which it does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from rig.families.esp32.formats.boot import BootResult
from rig.families.esp32.formats.boot_config import SecureVersion
from rig.families.esp32.formats.header import Header
from rig.families.esp32.formats.otadata import Record
from rig.families.esp32.formats.partition_table import Partition, PartitionTable
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from tests.rig.families.esp32.formats.raw import SMALL, TABLE, build_of, flash_of, raw_image, started
from tests.rig.families.esp32.formats.stage_images import ENDS_RESET, FULL, IMAGES, NEW, Case, of


def table(*rows: Partition, raw: bytes | None = None) -> Callable[[], bytearray]:
    return lambda: flash_of(raw_image(), PartitionTable(rows or TABLE.rows) if raw is None else raw)


def with_otadata(offset: int, size: int, *records: Record) -> Callable[[], bytearray]:
    """Arduino's layout with otadata elsewhere, and these records in it."""

    def make() -> bytearray:
        moved = replace(TABLE.rows[1], offset=offset, size=size)
        flash = flash_of(raw_image(), PartitionTable((TABLE.rows[0], moved, *TABLE.rows[2:])))
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
LONG = replace(TABLE.rows[0], label="sixteen_letters_", flags=int.from_bytes(b"ABCD", "little"))
CASES = IMAGES | {
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
        table(LONG, *TABLE.rows[1:]), "I boot:  0 sixteen_letters_ABCD\xaaP\x01 WiFi data", ("3.3", "5.1", "5.5", "6.1")
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
    "an application that does not begin at a word": Case(
        table(*TABLE.rows[:2], replace(TABLE.rows[2], offset=0x1_0002), TABLE.rows[3]),
        "E bootloader_flash: bootloader_flash_read src_addr 0x10002 not 4-byte aligned",
        ("3.3", "5.1", "5.5"),
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
    "a second stage's own minimum": Case(
        of(b""),
        "I boot_comm: chip revision: 3, min. bootloader chip revision: 0",
        ("3.3.1", "4.0", "4.4", "4.4.4", "5.0"),
        ("3.3", "4.4.5", "5.0.1", "5.5"),
    ),
    "a chip that is too old for the second stage": Case(
        of(raw_image()),
        "E boot_comm: Image requires chip rev >= v3.1, but chip is v3.0",
        ("4.4.5", "5.1"),
        ("4.4", "5.5"),
        {"header": Header(segments=1, entry=0, min_revision=301)},
    ),
    "and it starts nothing": Case(
        of(raw_image()),
        ENDS_RESET,
        ("4.4.5", "5.1", "5.5"),
        ("4.4",),
        {"header": Header(segments=1, entry=0, min_revision=301)},
    ),
    "a chip that is too new for it is not told": Case(
        of(raw_image()),
        ENDS_RESET,
        (),
        ("4.4.5", "5.1", "5.5"),
        {"header": Header(segments=1, entry=0, max_revision=299)},
    ),
    "the revision, as it was told first": Case(of(b""), "I boot: Chip Revision: 3", ("3.3.1", "4.0"), ("3.3", "4.1")),
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


def a_board_that_hangs_is_reset_by_its_watchdog(_folder: object) -> None:
    board = Esp32(Esp32Memory(), Chip(), find=lambda _area: None, bootloaders=lambda _area, _chip: build_of("5.5"))
    flash = flash_of(raw_image(*SMALL[1:]))
    flash[0x1000] = 0xE9
    board.memory.flash.load(bytes(flash))
    board.power_on(0.0)
    board.advance(8.0)
    assert not [event.name for event in board.events if event.name.startswith("restart")]
    board.advance(12.0)
    assert "restart:0x10" in [event.name for event in board.events]
