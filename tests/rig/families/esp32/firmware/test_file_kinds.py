"""What a file is that somebody means for a board: genuine applications are never refused, anything else by its kind."""

from __future__ import annotations

import subprocess
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.firmware.file_kinds import APPLICATION
from rig.families.esp32.firmware.images import VARIANTS, App, build_app, build_variant
from rig.families.esp32.firmware.refusal import no_application, no_second_stage
from rig.families.esp32.formats.kinds import CHIPS
from rig.firmware.file_kinds import kind_of
from rig.firmware.releases import Release, add_release
from tests.rig.families.esp32.firmware import checks_file_kinds as checks
from tests.rig.families.esp32.firmware.checks_file_kinds import APPLICATIONS, OTHERS, elf_image


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_genuine_application_is_taken(name):
    checks.an_application_is_taken(name)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_application_is_refused_by_what_it_is(name):
    checks.another_file_is_refused_by_what_it_is(name)


@pytest.mark.parametrize(
    "chip", ["esp32s2", "esp32s3", "esp32c2", "esp32c3", "esp32c6", "esp32h2", "esp32p4", "esp32c5", "esp32c61"]
)
def test_an_application_for_another_chip_is_told_by_its_chip(chip):
    image, number = elf_image(chip)
    assert str(kind_of(image)) == f"an application for an {CHIPS[number]}: another board's"


@settings(max_examples=30)
@given(
    st.sampled_from([0, 1, 2, 3, 4, 5]),
    st.sampled_from([0x00, 0x0F, 0x1F, 0x20, 0x2F, 0x3F, 0x4F, 0x41]),
    st.booleans(),
    st.integers(0, 3000),
    st.binary(max_size=64),
)
def test_no_header_of_an_application_makes_it_something_else(mode, speed_size, described, irom, behind):
    image = bytearray(build_app(App(seed="kinds", described=described, irom=4 + irom)))
    image[2:4] = mode, speed_size
    assert kind_of(bytes(image) + behind) == APPLICATION


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data):
    assert kind_of(data) is None or str(kind_of(data))


@pytest.mark.parametrize("name", sorted(set(VARIANTS) - {"truncated-header", "wrong-first-byte", "wrong-chip"}))
def test_a_damaged_application_is_one_and_refused_for_what_is_wrong_with_it(name):
    image = build_variant(App(seed="kinds", secure_version=1), name, 0x2_0000)
    assert kind_of(image) == APPLICATION


def test_a_second_stage_is_taken_where_one_belongs_and_an_application_is_not():
    assert no_second_stage(checks.STAGE) is None
    assert no_second_stage(checks.APP) == "it is an application: it belongs in an app partition"
    assert no_second_stage(checks.TABLE) == "it is a partition table: it belongs at 0x8000"


@pytest.mark.parametrize("name", ["a second stage", "a partition table", "an ELF file", "a merged image"])
def test_no_release_is_made_of_it(name, tmp_path):
    (tmp_path / "manifest.toml").write_text("")
    words, data = OTHERS[name]
    with pytest.raises(Misuse, match=f"x is nothing an ESP32 would start: it is {words}"):
        add_release(tmp_path / "manifest.toml", Release("x", "esp32", "1", "ok"), data)


def test_a_core_is_told_too_what_it_was_given(tmp_path):
    (tmp_path / "manifest.toml").write_text("")
    with pytest.raises(Misuse, match="x is nothing a Core could run but an ELF file"):
        add_release(tmp_path / "manifest.toml", Release("x", "spark-core", "1", "ok"), OTHERS["an ELF file"][1])


def test_what_stock_esptool_merges_is_told(tmp_path):
    parts = []
    for address, data in ((0x1000, checks.STAGE), (0x8000, checks.TABLE), (0x1_0000, checks.APP)):
        (tmp_path / f"{address:x}").write_bytes(data)
        parts += [f"{address:#x}", str(tmp_path / f"{address:x}")]
    command = [sys.executable, "-m", "esptool", "--chip", "esp32", "merge-bin", "-o", str(tmp_path / "merged"), *parts]
    subprocess.run(command, check=True, capture_output=True)
    assert (kind_of((tmp_path / "merged").read_bytes()) or APPLICATION).belongs == 0


def test_bytes_that_are_no_letters_are_no_text():
    checks.bytes_that_are_no_letters_are_no_text(None)


def test_a_table_with_a_wrong_digest_is_none():
    damaged = bytearray(checks.TABLE)
    damaged[20] ^= 1
    assert kind_of(bytes(damaged)) is None
    assert "magic" in (no_application(bytes(damaged)) or "")


def test_a_page_of_nvs_with_a_wrong_crc_is_none():
    page = bytearray(OTHERS["an NVS partition"][1])
    assert zlib.crc32(page[4:28], 0xFFFF_FFFF) == int.from_bytes(page[28:32], "little")
    page[5] ^= 1
    assert kind_of(bytes(page)) is None
