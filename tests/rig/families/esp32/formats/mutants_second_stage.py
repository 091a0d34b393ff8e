"""Planted faults of second stages by release, of flash sizes, and of telling files apart, for test_mutants."""

from __future__ import annotations

import codecs
from dataclasses import replace

from rig.families.esp32.firmware import bootloader as esp_bootloader
from rig.families.esp32.firmware import file_kinds
from rig.families.esp32.formats import boot as esp_boot
from rig.families.esp32.formats import boot_table as esp_boot_table
from rig.families.esp32.formats import header as esp_header
from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats import ram as esp_ram
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.idf import Change
from rig.families.esp32.formats.second_stage import SecondStage
from rig.families.esp32.lab import placement as flash_place
from rig.families.esp32.twin import boot as twin_boot
from rig.families.esp32.twin import spi_flash
from rig.families.esp32.twin.app import application
from rig.firmware import file_kinds as any_kinds
from tests.rig.families.esp32.firmware import checks_file_kinds as of_kinds
from tests.rig.families.esp32.formats import checks_second_stage as of_stage
from tests.rig.families.esp32.lab import checks_placement as of_flash


def _holds_always(name):
    """A change that is true of every release."""
    ever = Change("planted", "nowhere", esp_idf.since("0.0"))
    return lambda m: m.setattr(esp_idf, name, ever)


def _never_holds(name):
    never = Change("planted", "nowhere", ())
    return lambda m: m.setattr(esp_idf, name, never)


def _never_overlap(m):
    m.setattr(esp_ram, "_overlap", lambda _one, _other: False)


def _no_alias(m):
    real = esp_ram._clash
    m.setattr(esp_ram, "_clash", lambda ram, start, end, **how: real(ram, start, end, **{**how, "aliased": True}))


def _no_last_lines(m):
    m.setattr(esp_boot, "map_image", lambda _image: iter(()))


REAL_CONFIG, REAL_DECODER = SecondStage.config, codecs.getincrementaldecoder

RELEASES = {
    "esp32 release: every release knows full revisions": (
        _holds_always("FULL_REVISIONS"),
        of_stage.case("revisions in full do not count"),
    ),
    "esp32 release: byte 14 counts for ever": (_never_holds("FULL_REVISIONS"), of_stage.case("byte 14 does not count")),
    "esp32 release: the revision's new words are old": (
        _holds_always("REVISION_CHECK_TEXT"),
        of_stage.case("a later revision, told as what the image requires"),
    ),
    "esp32 release: the first one compares chips": (
        _holds_always("CHECKS_CHIP"),
        of_stage.case("another chip's image"),
    ),
    "esp32 release: load addresses were always checked": (
        _holds_always("CHECKS_LOAD_ADDRESSES"),
        of_stage.case("over the stack, by its end"),
    ),
    "esp32 release: there was always more IRAM": (
        _holds_always("MORE_IRAM"),
        of_stage.case("where DRAM is IRAM since there is more"),
    ),
    "esp32 release: segments always reached the end": (
        _holds_always("SEGMENTS_REACH_THE_END"),
        of_stage.case("up to the last byte"),
    ),
    "esp32 release: mappings are never missed": (
        _never_holds("NEEDS_BOTH_MAPPINGS"),
        of_stage.case("no code in flash"),
    ),
    "esp32 release: the banner never changed": (_holds_always("SAYS_CORES"), of_stage.case("how many cores")),
    "esp32 release: a description was always told": (
        _holds_always("SAYS_NO_DESCRIPTION"),
        of_stage.case("no description"),
    ),
}

STAGES = {
    "esp32 second stage: it loads over its own stack": (_never_overlap, of_stage.case("over the stack")),
    "esp32 second stage: memory has one name": (_no_alias, of_stage.case("where DRAM is no IRAM")),
    "esp32 second stage: an application is entered without mappings": (
        _no_last_lines,
        of_stage.a_start_that_hangs_is_no_application,
    ),
    "esp32 twin: a second stage that hangs restarts at once": (
        lambda m: m.setattr(twin_boot, "WATCHDOG_SECONDS", 0.0),
        of_stage.a_board_that_hangs_is_reset_by_its_watchdog,
    ),
    "esp32 second stage: labels end after 16 letters": (
        lambda m: m.setattr(
            esp_boot_table, "_label", lambda raw, number: raw[number * 32 + 12 :][:16].split(b"\0")[0].decode("latin-1")
        ),
        of_stage.case("a label without an end"),
    ),
    "esp32 second stage: otadata that is too large is mapped": (
        lambda m: m.setattr(esp_boot.otadata, "unreadable", lambda *_: []),
        of_stage.case("otadata too large to be mapped"),
    ),
    "esp32 second stage: it writes wherever otadata begins": (
        lambda m: m.setattr(esp_boot, "_WORD", 1),
        of_stage.case("otadata that does not begin at a word"),
    ),
    "esp32 second stage: it says everything": (
        lambda m: m.setattr(BootConfig, "says", lambda self, _line: True),
        of_stage.case("prints nothing else"),
    ),
    "esp32 second stage: the second bound is not looked at": (
        lambda m: m.setattr(esp_header, "UNSET_REVISIONS", range(0x1_0000)),
        of_stage.case("both bounds missed are told both"),
    ),
    "esp32 second stage: flash ends": (
        lambda m: m.setattr(esp_boot, "wrapping", lambda read, _size: read),
        of_stage.reads_go_on_at_the_beginning_of_flash,
    ),
}

FLASH = {
    "esp32 flash: the header's size is not looked at": (
        lambda m: m.setattr(
            SecondStage, "config", lambda self, usual: replace(REAL_CONFIG(self, usual), flash_size=16 << 20)
        ),
        of_flash.a_board_whose_header_says_less_starts_nothing,
    ),
    "esp32 flash: a set for less flash is written": (
        lambda m: m.setattr(flash_place, "_too_little_flash", lambda *_: None),
        of_flash.a_set_for_less_flash_than_its_table_needs_is_refused,
    ),
    "esp32 flash: only the board's own second stage counts": (
        lambda m: m.setattr(flash_place._Piece, "over", lambda _self, read: read),
        of_flash.a_set_for_less_flash_than_its_table_needs_is_refused,
    ),
    "esp32 flash: a header may promise more than there is": (
        lambda m: m.setattr(flash_place, "_needs_all_flash", lambda *_: False),
        of_flash.a_second_stage_for_more_flash_than_there_is_starts_nothing,
    ),
    "esp32 flash: an application asks no flash for its size": (
        lambda m: m.setattr(application, "_probe_flash", lambda *_: iter(())),
        of_flash.an_application_aborts_on_less_flash_than_was_promised,
    ),
    "esp32 flash: a new board's second stage is for 4 MB": (
        lambda m: m.setattr(esp_bootloader, "size_code", lambda _size: 2),
        of_flash.a_new_board_starts_with_all_its_flash,
    ),
    "esp32 flash: every part is one of 4 MB": (
        lambda m: m.setattr(
            spi_flash.SpiFlash, "_command", of_flash.always_four_megabytes(spi_flash.SpiFlash._command)
        ),
        of_flash.the_flash_says_how_large_it_is,
    ),
}

KINDS = {
    "file kinds: a second stage is an application": (
        lambda m: m.setattr(file_kinds.esp_kinds, "is_second_stage", lambda _data: False),
        of_kinds.other("a second stage"),
    ),
    "file kinds: whatever loads to RAM is a second stage": (
        lambda m: m.setattr(file_kinds.esp_kinds, "is_second_stage", lambda _data: True),
        of_kinds.application("with code first"),
    ),
    "file kinds: a merged image is what it begins with": (
        lambda m: m.setattr(file_kinds, "_whole_flash", lambda _data: None),
        of_kinds.other("a merged image from the second stage on"),
    ),
    "file kinds: SPIFFS has one size of pages": (
        lambda m: m.setattr(file_kinds, "_magic", lambda data, _page, block, number: data[block * number + 252] == 0),
        of_kinds.other("a SPIFFS image of large pages"),
    ),
    "file kinds: whatever has no control characters is a text": (
        lambda m: m.setattr(any_kinds.codecs, "getincrementaldecoder", lambda _name: REAL_DECODER("latin-1")),
        of_kinds.bytes_that_are_no_letters_are_no_text,
    ),
    "file kinds: any table is one, whatever its digest": (
        lambda m: m.setattr(file_kinds, "_is_table", lambda raw: raw[:1] == b"\xe9"),
        of_kinds.other("a partition table"),
    ),
}

MUTANTS = RELEASES | STAGES | FLASH | KINDS
