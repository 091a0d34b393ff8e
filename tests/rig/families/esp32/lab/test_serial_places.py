"""`rig serial write`: what may be written where on an ESP32, and where a file goes without an address."""

from __future__ import annotations

import os

import pytest

from rig.errors import Misuse
from rig.families.esp32.firmware.recipes import EspBootloaderRecipe
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.families.esp32.lab import serial as serial_by_hand
from rig.families.esp32.lab.placement import misplaced
from tests.rig.families.esp32.firmware.checks_file_kinds import OTHERS
from tests.rig.families.esp32.lab.flash_contents import IMAGE, RUNNING, TWO_SLOTS, flash, reader
from tests.rig.families.esp32.twin.models import served_board

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


NOISE = bytes(range(1, 200)) * 16
SLOT = TWO_SLOTS.slot(0).offset
RECORDS = TWO_SLOTS.otadata.offset
STAGE = EspBootloaderRecipe(kind="esp-bootloader", seed="serial", size=4096).build()
WHOLE = bytes(flash((RUNNING, RUNNING)))


def with_stage(contents: bytes, stage: bytes = STAGE) -> bytes:
    """Flash with a second stage in its place."""
    return contents[:0x1000] + stage + contents[0x1000 + len(stage) :]


WHOLE_SET = with_stage(WHOLE)
PLACES = {
    "an application in a slot": (SLOT, IMAGE, None),
    "an application in another's middle": (SLOT + 0x1000, IMAGE, "in the middle of"),
    "noise in a slot": (SLOT, NOISE, "would not start"),
    "a second stage in a slot": (SLOT, STAGE, "it is a second stage: it belongs at 0x1000"),
    "a table in a slot": (SLOT, TWO_SLOTS.pack(), "it is a partition table: it belongs at 0x8000"),
    "a merged image in a slot": (SLOT, OTHERS["a merged image"][1], "it is a merged image"),
    "a merged image from the second stage on in a slot": (SLOT, WHOLE_SET[0x1000:], "it is a merged image"),
    "SPIFFS in a slot": (SLOT, OTHERS["a SPIFFS image"][1], "it is a SPIFFS image"),
    "SPIFFS in plain data": (TWO_SLOTS.rows[0].offset, OTHERS["a SPIFFS image"][1][:0x5000], None),
    "an application for a second stage": (0x1000, IMAGE[:0x6000], "it is an application"),
    "a whole set from the second stage on": (0x1000, WHOLE_SET[0x1000:], None),
    "a damaged application": (SLOT, IMAGE[:-40] + NOISE[:40], "would not start"),
    "noise over the boot choice": (RECORDS, NOISE * 3, "records of the boot choice"),
    "an application over the boot choice": (RECORDS + 0x1000, IMAGE, "records of the boot choice"),
    "blank records": (RECORDS, b"\xff" * otadata.SIZE, None),
    "noise in plain data": (TWO_SLOTS.rows[0].offset, NOISE, None),
    "a second stage": (0x1000, STAGE, None),
    "noise for a second stage": (0x1000, NOISE, "magic"),
    "noise where nothing is": (0, NOISE, "no partition at 0x0"),
    "another table": (0x8000, LAYOUTS["two_ota"].pack(), None),
    "noise for a table": (0x8000, NOISE, "holds none"),
    "a whole flash": (0, WHOLE_SET, None),
    "a whole flash without second stage": (0, WHOLE, "nothing but FF"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_what_no_esp32_could_run_is_refused_where_it_is_to_go(case):
    address, data, reason = PLACES[case]
    refused = misplaced(reader(flash()), address, data)
    assert (refused is None) if reason is None else (reason in (refused or ""))


WRONG_FILES = {
    "a second stage, somewhere": (STAGE, 0x10000, "is a second stage: it belongs at 0x1000"),
    "a second stage, over the application": (STAGE, None, "is a second stage: it belongs at 0x1000"),
    "a table, over the application": (TWO_SLOTS.pack(), None, "is a partition table: it belongs at 0x8000"),
    "a merged image in its middle": (WHOLE_SET, 0x1000, "is a merged image.*it belongs at 0x0"),
    "SPIFFS, over the application": (OTHERS["a SPIFFS image"][1], None, "is a SPIFFS image"),
    "an ELF file": (OTHERS["an ELF file"][1], 0x10000, "is an ELF file: esptool elf2image makes an image of it"),
    "an archive, over the application": (OTHERS["a gzip archive"][1], None, "is a gzip archive: unpack it first"),
    "a hex file": (OTHERS["an Intel HEX file"][1], 0x10000, "is an Intel HEX file"),
    "another chip's application": (OTHERS["an application for a C3"][1], 0x10000, "an application for an ESP32-C3"),
    "a damaged application": (IMAGE[:-40] + NOISE[:40], 0x10000, "is an image that no ESP32 would start"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_what_is_no_contents_of_flash_is_refused_before_a_board_is_asked(case, tmp_path):
    data, address, words = WRONG_FILES[case]
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(Misuse, match=words) as refused:
        serial_by_hand.write_flash("nowhere", address, tmp_path / "file", print, print, force=False, waits=True)
    assert refused.value.hint == "force it if you are sure"


def test_on_a_board_without_a_table_only_images_and_tables_are_written():
    blank = reader(bytes(0x40_0000))
    assert misplaced(blank, 0x10000, IMAGE) is None
    assert misplaced(blank, 0x8000, TWO_SLOTS.pack()) is None
    assert "no partition" in (misplaced(blank, 0x10000, NOISE) or "")


@pytest.fixture
def two_slots():
    """A board whose second slot would be started next."""
    with served_board(flash=with_stage(bytes(flash((RUNNING, otadata.Record.of(2, otadata.State.VALID)))))) as board:
        board.into_download()
        yield board


def written(board, file, **how):
    return serial_by_hand.write_flash(
        board.plain_url, **{"address": None, "force": False, **how}, file=file, watch=print, say=print, waits=True
    )


def test_without_an_address_a_file_goes_where_the_application_lies_that_would_start(two_slots, tmp_path):
    (tmp_path / "app.bin").write_bytes(IMAGE)
    where, size, _ = written(two_slots, tmp_path / "app.bin")
    assert (where, size) == (TWO_SLOTS.slot(1).offset, len(IMAGE))


def test_noise_is_refused_before_anything_is_written_unless_it_is_forced(two_slots, tmp_path):
    (tmp_path / "noise.bin").write_bytes(NOISE)
    for address in (None, RECORDS, 0):
        with pytest.raises(Misuse, match="no ESP32 could run"):
            written(two_slots, tmp_path / "noise.bin", address=address)
    assert two_slots.board.memory.flash.read(RECORDS, 32) == RUNNING.pack()
    assert written(two_slots, tmp_path / "noise.bin", address=RECORDS, force=True)[0] == RECORDS


def test_without_an_address_a_blank_board_has_no_place(esp32, tmp_path):
    esp32.into_download()
    (tmp_path / "app.bin").write_bytes(IMAGE)
    with pytest.raises(Misuse, match="say where to write with --address"):
        written(esp32, tmp_path / "app.bin")


@pytest.mark.parametrize("name", ["/dev/zero", "pipe", "folder"])
def test_what_is_no_file_is_not_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Misuse, match="cannot read"):
        serial_by_hand.write_flash("nowhere", 0, tmp_path / name, print, print, force=True, waits=True)
