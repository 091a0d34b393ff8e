"""ESP32 images, partition tables and otadata: their rules, and noise."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.families.esp32.formats import image as image_format
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS, PartitionTable, TableRefused
from tests.rig.families.esp32.formats.recordings import esp_image
from tests.rig.families.esp32.lab.flash_contents import BLANK, IMAGE, RECIPE, ROLLBACK, TWO_SLOTS, flash, put, reader

# -- records

CRCS = {1: 0x4743989A, 2: 0x55F63774, 3: 0xED4A5011, 4: 0x709D68A8, 5: 0xC8210FCD, 6: 0xDA94A023}


@pytest.mark.parametrize("seq", CRCS)
def test_the_crc_of_a_record_covers_its_sequence_number(seq):
    assert otadata.record_crc(seq) == CRCS[seq]


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_a_record_and_pack_to_themselves(raw):
    assert Record.unpack(raw).pack() == raw


@given(st.binary(max_size=0x1100), st.integers(1, 16))
def test_otadata_of_any_kind_chooses_an_existing_slot_or_none(raw, slots):
    records = otadata.read_records(raw)
    number = otadata.active(records)
    assert number is None or 0 <= records[number].slot(slots) < slots


#: A release in which what was chosen is always active.
NEWEST = Idf(6, 1)
CHOICES = {
    "nothing chosen yet: the first sector, counted from one": ((BLANK, BLANK), 1, 2, (0, 2)),
    "the other slot: the other sector, the next number": ((Record.of(1, 2), BLANK), 1, 2, (1, 2)),
    "the slot chosen already: in place, with its number": ((Record.of(1, 2), Record.of(2, 4)), 0, 2, (0, 1)),
    "a later slot of three": ((Record.of(4, 2), Record.of(3, 2)), 2, 3, (1, 6)),
    "a slot given up does not count": ((Record.of(1, 2), Record.of(2, State.ABORTED)), 1, 2, (1, 2)),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choosing_a_slot_writes_the_next_record(name):
    records, slot, slots, (sector, seq) = CHOICES[name]
    rewrite = otadata.choose_slot(records, slot, slots, State.NEW, NEWEST)
    assert (rewrite.sector, rewrite.record.seq, rewrite.record.state) == (sector, seq, State.NEW)


@given(st.integers(0, 1 << 20), st.integers(0, 1 << 20), st.integers(1, 16), st.data())
def test_what_was_chosen_is_active(first, second, slots, data):
    records = [Record.of(first + 1, State.VALID), Record.of(second + 1, State.VALID)]
    slot = data.draw(st.integers(0, slots - 1))
    rewrite = otadata.choose_slot(records, slot, slots, State.NEW, NEWEST)
    records[rewrite.sector] = rewrite.record
    assert otadata.active(records) == rewrite.sector
    assert rewrite.record.slot(slots) == slot


def test_confirming_rewrites_the_active_record_once():
    records = [Record.of(1, State.VALID), Record.of(2, State.PENDING_VERIFY)]
    rewrite = otadata.mark_valid(records)
    assert rewrite == otadata.Rewrite(1, Record.of(2, State.VALID))
    assert otadata.mark_valid([records[0], rewrite.record]) is None
    assert otadata.mark_invalid(records).record.state == State.INVALID
    with pytest.raises(otadata.NoActiveRecord):
        otadata.mark_valid([BLANK, BLANK])


FORGOTTEN = {
    "the record of the slot to be overwritten": ((Record.of(1, 2), Record.of(2, 4)), 0, 1),
    "not one that chooses the running slot": ((Record.of(3, 2), Record.of(1, 2)), 0, None),
    "not one whose CRC is bad": ((Record.of(1, 2), BLANK), 0, None),
    "nothing when no record is active": ((BLANK, BLANK), 0, None),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_beginning_an_update_forgets(name):
    records, running, sector = FORGOTTEN[name]
    assert otadata.forgotten_at_begin(records, running, 2) == sector


# -- the partition table


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_parsed_as_it_was_packed(name):
    assert PartitionTable.parse(LAYOUTS[name].pack(), 16 << 20) == LAYOUTS[name]


def test_the_layouts_are_esp_idfs_and_arduinos():
    idf, large, arduino = LAYOUTS["two_ota"], LAYOUTS["two_ota_large"], LAYOUTS["arduino"]
    assert (idf.factory.offset, idf.slot(1).offset, idf.otadata.offset) == (0x10000, 0x210000, 0xD000)
    assert (large.factory, large.slot(1).offset, large.otadata.offset) == (None, 0x1D0000, 0xF000)
    assert (arduino.slot(0).size, arduino.slot(1).offset, arduino.slots) == (0x140000, 0x150000, 2)


@given(st.binary(max_size=200), st.integers(0, 0xBFF))
def test_a_damaged_table_is_read_or_refused_in_words(noise, offset):
    raw = bytearray(TWO_SLOTS.pack())
    put(raw, offset, noise)
    try:
        told = len(PartitionTable.parse(bytes(raw[:0xC00])).rows)
    except TableRefused as refusal:
        told = str(refusal)
    assert told in range(97) or re.match(r"partition|Incorrect MD5|Only one MD5", str(told))


REFUSED_TABLES = {
    "erased rows after a bad one": (b"\x12\x34", 0x20, "partition 1 invalid magic number 0x3412"),
    "a flipped bit": (b"\x0a", 0x25, "Incorrect MD5 checksum"),
    "a partition beyond the chip": (b"\x50", 0x27 + 0x40, "exceeds flash chip size 0x400000"),
}


@pytest.mark.parametrize("name", REFUSED_TABLES)
def test_a_start_from_a_refused_table_ends_in_a_reset(name):
    damage, offset, words = REFUSED_TABLES[name]
    contents = flash()
    put(contents, 0x8000 + offset, damage)
    result = boot_once(contents, ROLLBACK)
    assert (result.booted, result.ops, result.otadata) == (None, [], ())
    assert words in result.console[-3]
    assert result.console[-2:] == ["E boot: Failed to verify partition table", "E boot: load partition table error!"]


# -- images


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_an_image_or_refused_in_words(noise):
    found = image_format.load(reader(noise), 0, 0x10000, ESP32)
    assert found.refused is not None
    assert found.console()[-1].startswith("E ")


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
@example(23, 1)
def test_one_wrong_byte_is_noticed_anywhere_but_in_the_flag_that_there_is_a_digest(at, mask):
    damaged = bytearray(IMAGE)
    damaged[at] ^= mask
    found = image_format.load(reader(damaged), 0, 0x20000, ESP32)
    assert (found.refused is None) == ((at, mask) == (23, 1))


@given(st.integers(0, len(IMAGE) - 1))
def test_a_short_image_is_refused(length):
    assert image_format.load(reader(IMAGE[:length]), 0, 0x20000, ESP32).refused is not None


def test_a_good_image_is_measured_and_described():
    found = image_format.load(reader(bytes(0x10000) + IMAGE), 0x10000, 0x20000, ESP32)
    assert (found.refused, found.length, found.digest) == (None, len(IMAGE), hashlib.sha256(IMAGE[:-32]).digest())
    assert (found.description.version, found.description.project, found.secure_version) == ("1.0.0", "twin", 0)
    assert [segment.address for segment in found.segments][2:] == [0x4008_0000, 0, 0x400D_0020]


def altered(**header):
    return esp_image("esp32", RECIPE, **header)


def segment_moved(address: int) -> bytes:
    """The IRAM segment for another address, digest and all."""
    raw = bytearray(IMAGE[:-32])
    at = raw.index(struct.pack("<II", 0x4008_0000, 256))
    raw[at : at + 4] = struct.pack("<I", address)
    return bytes(raw) + hashlib.sha256(raw).digest()


REFUSED_IMAGES = {
    "erased": (b"\xff" * 100, "magic", "invalid magic byte (nothing flashed here?)"),
    "for another chip": (altered(chip_id=5), "chip", "E boot_comm: mismatch chip ID, expected 0, found 5"),
    "for a later revision": (altered(min_rev=300), "revision", "chip rev >= v3.0, but chip is v1.0"),
    "for an earlier revision": (altered(max_rev=99), "revision", "chip rev <= v0.99, but chip is v1.0"),
    "of too many segments": (altered(segments=17), "segments", "segment count 17 exceeds max 16"),
    "with a wrong checksum": (altered(checksum_xor=1), "checksum", "Checksum failed. Calculated"),
    "with a wrong digest": (IMAGE[:-1] + b"\0", "digest", "Image hash failed - image is corrupt"),
    "for flash pages it does not lie on": (segment_moved(0x400D_0000), "alignment", "doesn't match data"),
    "for what is no memory": (segment_moved(0x6000_0000), "address", "invalid: bad load address range"),
}


@pytest.mark.parametrize("name", REFUSED_IMAGES)
def test_an_image_is_refused_with_its_reason(name):
    data, reason, words = REFUSED_IMAGES[name]
    chip = replace(ESP32, revision=100)
    found = image_format.load(reader(data), 0, 0x20000, chip)
    assert found.refused.reason == reason
    assert words in found.console()[-1]


def test_an_image_that_does_not_fit_its_partition_is_refused():
    found = image_format.load(reader(IMAGE), 0, len(IMAGE) - 1, ESP32)
    assert found.refused.reason == "size"
    assert found.console()[-1].endswith(f"Image length {len(IMAGE)} doesn't fit in partition length {len(IMAGE) - 1}")
    assert image_format.load(reader(IMAGE), 0, len(IMAGE), ESP32).refused is None


def test_only_a_loader_says_load():
    found = image_format.verify(reader(IMAGE), 0, 0x20000, ESP32)
    assert sum(line.endswith("load") for line in found.console()) == 2
    assert not any(line.endswith("load") for line in found.console(loading=False))
    assert sum(line.endswith("map") for line in found.console(loading=False)) == 2
