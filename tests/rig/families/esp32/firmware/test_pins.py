"""What fuses, held pins and noise make of a start of an ESP32, and starting one from a file."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.boot_config import BootConfig, FactoryReset, SecureVersion
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import APP, LAYOUTS, TEST, Partition, PartitionTable
from rig.families.esp32.lab.boot import boot_flash
from tests.rig.families.esp32.lab.flash_contents import (
    BLANK,
    IMAGE,
    ROLLBACK,
    RUNNING,
    TWO_SLOTS,
    chosen,
    flash,
    put,
    records_of,
    start,
    write,
)


def described(secure_version: int) -> bytes:
    """An image with that secure version, digest and all."""
    raw = bytearray(IMAGE[:-32])
    raw[0x24:0x28] = struct.pack("<I", secure_version)
    checksum_at = len(raw) - 1
    for byte in struct.pack("<I", secure_version):
        raw[checksum_at] ^= byte
    return bytes(raw) + hashlib.sha256(raw).digest()


class Fuse:
    """An emulated secure version."""

    def __init__(self, version):
        self.version = version

    def config(self) -> BootConfig:
        return BootConfig(rollback=True, secure_version=SecureVersion(lambda: self.version, self.advance))

    def advance(self, version):
        self.version = version


def test_a_slot_older_than_the_fuse_is_passed_over():
    fuse = Fuse(3)
    contents = flash((RUNNING, Record.of(2, State.VALID)), slots=(described(3), described(2)))
    result = boot_once(contents, fuse.config())
    assert (result.booted, fuse.version) == ("app0", 3)
    assert "I boot: Secure version (from eFuse) = 3" in result.console


def test_a_confirmed_newer_version_advances_the_fuse_for_good():
    fuse = Fuse(1)
    contents = flash((RUNNING, Record.of(2, State.NEW)), slots=(described(1), described(2)))
    assert (start(contents, fuse.config()), fuse.version) == ("app1", 1)
    rewrite = otadata.mark_valid(records_of(contents))
    write(contents, rewrite)
    assert (start(contents, fuse.config()), fuse.version) == ("app1", 2)


def test_without_records_the_fuse_follows_the_slot_that_was_found():
    fuse = Fuse(2)
    contents = flash(slots=(described(1), described(5)))
    assert (start(contents, fuse.config()), fuse.version) == ("app1", 5)
    assert records_of(contents)[0] == Record.of(2, State.VALID)


def test_the_factory_reset_pin_erases_and_the_choice_is_made_again():
    layout = LAYOUTS["two_ota"]
    contents = flash((RUNNING, BLANK), layout=layout, factory=IMAGE)
    put(contents, 0x9000, bytes(0x4000))
    kept = boot_once(bytearray(contents), replace(ROLLBACK, held=FactoryReset()))
    assert (kept.booted, len(kept.ops)) == ("ota_0", 4)
    wiped = boot_once(contents, replace(ROLLBACK, held=FactoryReset(("nvs",), otadata=True)))
    assert (wiped.booted, wiped.otadata) == ("factory", (b"\xff" * 32,) * 2)
    assert contents[0x9000:0xD000] == b"\xff" * 0x4000


def test_the_test_pin_starts_the_test_application_or_nothing():
    layout = PartitionTable((*TWO_SLOTS.rows, Partition("test", APP, TEST, 0x2A_0000, 0x10_0000)))
    held = replace(ROLLBACK, held="test")
    assert start(flash(layout=layout, test=IMAGE), held) == "test"
    assert start(flash(layout=layout), held) is None
    assert boot_once(flash(), held).console[-1] == "E boot: Test firmware is not found in partition table"


def test_a_partition_that_cannot_be_erased_is_said_so():
    rows = (replace(TWO_SLOTS.rows[0], size=0x4001), *TWO_SLOTS.rows[1:])
    result = boot_once(flash(layout=PartitionTable(rows)), replace(BootConfig(), held=FactoryReset()))
    assert "I boot_comm:  0 nvs              data  00009000 00004001 [err]" in result.console
    assert "E boot: Not all partitions were erased" in result.console


@given(st.sampled_from([0x8000, 0xE000, 0xF000, 0x1_0000]), st.integers(0, 200), st.binary(max_size=60), st.booleans())
def test_a_start_from_noise_ends_in_an_application_or_a_reset(area, at, noise, guarded):
    contents = flash(slots=(IMAGE[:400], b""))
    put(contents, area + at, noise)
    if not guarded:
        # Without its MD5 row a table is believed, whatever it says.
        put(contents, 0x8080, b"\xff" * 32)
    result = boot_once(contents, replace(ROLLBACK, held=FactoryReset(otadata=True)))
    assert len(contents) == 0x40_0000
    assert all(line[:2] in ("I ", "W ", "E ") for line in result.console)
    assert result.booted is None


# -- the command's function


def test_a_flash_file_is_started_once(tmp_path):
    (tmp_path / "flash.bin").write_bytes(flash((RUNNING, chosen(State.NEW).record)))
    told = boot_flash(tmp_path / "flash.bin", rollback=True, out=tmp_path / "after.bin")
    assert (told["booted"], told["otadata"][1][48:50]) == ("app1", "01")
    assert boot_flash(tmp_path / "after.bin", rollback=True)["booted"] == "app0"


WRONG_FILES = {
    "missing": (None, {}, "cannot read"),
    "too short": (b"x" * 5000, {}, "5000 bytes, no contents of an ESP32's flash"),
    "of an unknown chip": (bytes(0x10000), {"chip": "esp8266"}, "no chip is called 'esp8266'"),
    "of an impossible revision": (bytes(0x10000), {"revision": -1}, "chip revision -1"),
    "with nowhere to write": (bytes(0x10000), {"out": "no-such-folder/x"}, "cannot write"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_is_named(name, tmp_path):
    contents, options, words = WRONG_FILES[name]
    if contents is not None:
        (tmp_path / "flash.bin").write_bytes(contents)
    if "out" in options:
        options = {"out": tmp_path / options["out"]}
    with pytest.raises(Misuse, match=words):
        boot_flash(tmp_path / "flash.bin", **options)
