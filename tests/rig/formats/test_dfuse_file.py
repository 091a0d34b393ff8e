"""DfuSe containers: read back as they were made, refused when damaged, written and unpacked as dfu-util would."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import struct
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rig.errors import Misuse
from rig.families.spark_core.cli import dfu as dfu_command
from rig.families.spark_core.firmware.image import read_core_image
from rig.families.spark_core.lab.dfu import Where, Write, read_memory, the_device, write_memory
from rig.families.spark_core.lab.dfu_files import load_file
from rig.families.spark_core.lab.twin import core_catalogue
from rig.firmware.checkout import manifest_path
from rig.firmware.manifest import Manifest
from rig.firmware.releases import Release, add_release
from rig.formats.dfu_suffix import DfuSuffix, add_suffix
from rig.formats.dfuse_file import DfuseFile, Element, Target, is_container, plain_image
from tests.rig.families.spark_core.twin.models import MANIFEST, ROLES

NEW = ROLES["new"]
CORE = DfuSuffix(0x1D50, 0x607F)
APP, FACTORY, KEY, ADDRESS = 0x0800_5000, 0x2_0000, 0x1000, 0x1180


def container(*elements, alternate=0, suffix=CORE):
    return DfuseFile((Target(alternate, "ST...", tuple(Element(*e) for e in elements)),), suffix).pack()


WHOLE = container((APP, NEW.data))
ELEMENTS = st.builds(Element, st.integers(0, 0xFFFF_0000), st.binary(min_size=1, max_size=40))
TARGETS = st.builds(
    Target,
    st.integers(0, 255),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=255),
    st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple),
)
IDS = st.integers(0, 0xFFFF)
FILES = st.builds(
    DfuseFile, st.lists(TARGETS, min_size=1, max_size=4).map(tuple), st.builds(DfuSuffix, IDS, IDS, IDS, IDS)
)


@given(FILES)
def test_a_container_is_read_back_as_it_was_made(file):
    assert DfuseFile.parse(file.pack(), "it") == file


@given(FILES, st.data())
def test_no_container_that_was_cut_or_changed_is_taken(file, data):
    packed = file.pack()
    at = data.draw(st.integers(0, len(packed) - 1))
    changed = packed[:at] + bytes([packed[at] ^ data.draw(st.integers(1, 255))]) + packed[at + 1 :]
    for damaged in (packed[:at], changed):
        with pytest.raises(Misuse):
            DfuseFile.parse(damaged, "it")


@given(st.binary(max_size=400))
def test_noise_with_a_good_crc_is_taken_or_refused_and_nothing_else(noise):
    with contextlib.suppress(Misuse):
        assert DfuseFile.parse(add_suffix(b"DfuSe\x01" + noise, CORE), "it").elements


def test_the_layout_is_that_of_the_standard():
    """By hand, as UM0391 has it."""
    element = struct.pack("<II", APP, 4) + b"\1\2\3\4"
    target = b"Target" + struct.pack("<BI255sII", 0, 1, b"ST...", len(element), 1)
    body = b"DfuSe\x01" + struct.pack("<IB", 11 + 274 + len(element) + 16, 1) + target + element
    suffix = struct.pack("<HHHH3sB", 0xFFFF, 0x607F, 0x1D50, 0x011A, b"UFD", 16)
    crc = struct.pack("<I", zlib.crc32(body + suffix) ^ 0xFFFF_FFFF)
    assert container((APP, b"\1\2\3\4")) == body + suffix + crc


def test_a_length_without_the_suffix_is_taken_too():
    body = WHOLE[:6] + struct.pack("<I", len(WHOLE) - 16) + WHOLE[10:-16]
    assert plain_image(add_suffix(body, CORE), "new.dfu") == (NEW.data, CORE, APP)


@pytest.mark.skipif(shutil.which("dfuse-pack") is None, reason="dfuse-pack is not installed")
def test_dfuse_pack_itself_makes_what_we_make(tmp_path):
    (tmp_path / "new.bin").write_bytes(NEW.data)
    words = ["dfuse-pack", "-b", f"{APP:#x}:{tmp_path / 'new.bin'}", "-D", "0x1d50:0x607f", tmp_path / "theirs.dfu"]
    subprocess.run(words, check=True, capture_output=True)
    theirs = DfuseFile.parse((tmp_path / "theirs.dfu").read_bytes(), "theirs")
    assert [(e.address, e.data) for e in theirs.elements] == [(APP, NEW.data)]
    assert theirs.pack() == (tmp_path / "theirs.dfu").read_bytes()


def resealed(change):
    """A container that was changed and given a fresh CRC."""
    return lambda: add_suffix(change(bytearray(WHOLE[:-16])), CORE)


def put(at, form, *values):
    def change(body):
        struct.pack_into(form, body, at, *values)
        return bytes(body)

    return resealed(change)


DAMAGED = {
    "a wrong CRC": (lambda: WHOLE[:400] + b"x" + WHOLE[401:], "the CRC in its DFU suffix is wrong"),
    "cut short": (lambda: WHOLE[:5000], "without a DFU suffix"),
    "nothing but its signature": (lambda: b"DfuSe", "without a DFU suffix"),
    "a length of its own": (put(6, "<I", 99), "says it has 99 bytes"),
    "another version": (put(5, "B", 2), "of version 2"),
    "no target": (put(10, "B", 0), "holds nothing"),
    "a target too many": (put(10, "B", 2), "274 bytes are to follow, 0 do"),
    "no signature of a target": (put(11, "6s", b"target"), "no target where"),
    "no element": (put(281, "<I", 0), "do not fill its"),
    "an element too many": (put(281, "<I", 2), "8 bytes are to follow, 0 do"),
    "an element too long": (put(289, "<I", 99_999), "99,999 bytes are to follow"),
    "an element of nothing": (put(289, "<I", 0), "an element of 0 bytes"),
    "an element beyond 4 GiB": (put(285, "<I", 0xFFFF_FFFF), "at 0xffffffff"),
    "bytes behind the last target": (
        resealed(lambda body: body[:6] + struct.pack("<I", len(body) + 3) + body[10:] + b"abc"), "3 bytes follow",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_damaged_is_said(case):
    make, reason = DAMAGED[case]
    with pytest.raises(Misuse, match=reason) as caught:
        plain_image(make(), "new.dfu")
    assert str(caught.value).startswith("new.dfu")


@pytest.fixture
def core(blank):
    return the_device(Where(f"{blank.host}:{blank.usbip_port}"))


def save(folder, content):
    (folder / "new.dfu").write_bytes(content)
    return folder / "new.dfu"


def write(core, file, **how):
    write_memory(core, Write(load_file(file, core), **how), lambda _progress: None)


def read(core, address, length):
    return read_memory(core, address, length, lambda _progress: None)


def test_elements_of_every_target_are_written_where_they_say(core, tmp_path):
    targets = (Target(0, "", (Element(APP, NEW.data),)), Target(1, "", (Element(FACTORY, b"factory"),)))
    write(core, save(tmp_path, DfuseFile(targets, CORE).pack()))
    assert (read(core, APP, len(NEW)), read(core, FACTORY, 7)) == (NEW.data, b"factory")


def test_elements_that_share_a_page_do_not_erase_each_other(core, tmp_path):
    write(core, save(tmp_path, container((ADDRESS, b"address"), (KEY, b"key"), alternate=1)))
    assert (read(core, KEY, 3), read(core, ADDRESS, 7)) == (b"key", b"address")
    assert read(core, KEY + 3, 1) == b"\xff"


def test_the_command_writes_a_container_and_starts_it(blank, tmp_path):
    words = ["write", str(save(tmp_path, WHOLE)), "--usbip", f"{blank.host}:{blank.usbip_port}", "--json", "--leave"]
    done = CliRunner().invoke(dfu_command.app, words)
    output = json.loads(done.output)
    assert (output["written"], output["address"], output["sha256"], output["left"]) == (len(NEW), APP, NEW.sha256, True)


UNFIT = {
    "another device's": (container((APP, NEW.data), suffix=DfuSuffix(0x0483, 0xDF11)), "is for 0483:df11"),
    "of a setting that is not there": (container((APP, NEW.data), alternate=2), "alternate setting 2, which"),
    "in the memory of another setting": (container((APP, NEW.data), alternate=1), "outside of alternate setting 1"),
    "in no memory": (container((0x2000_0000, b"ram")), "0x20000000 to 0x20000003 is outside"),
    "half outside": (container((0x0801_FFFF, b"ab")), "0x0801ffff to 0x08020001 is outside"),
    "where nothing may be written": (container((0x0800_0000, NEW.data)), "writable segment"),
    "no application": (container((APP, b"text text")), "stack pointer"),
    "with elements that overlap": (container((APP, NEW.data), (APP + 8, b"x")), "two elements lie at 0x08005008"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_is_refused_before_anything_is_written(core, tmp_path, case):
    content, reason = UNFIT[case]
    with pytest.raises(Misuse, match=reason) as caught:
        write(core, save(tmp_path, content))
    assert "\n" not in str(caught.value)
    assert read(core, APP, 1024) == b"\xff" * 1024


def test_an_address_that_contradicts_a_container_is_refused(core, tmp_path):
    assert load_file(save(tmp_path, WHOLE), core, APP)[0].image.data == NEW.data
    with pytest.raises(Misuse, match="a DfuSe container for 0x08005000, not for 0x00020000"):
        load_file(save(tmp_path, WHOLE), core, FACTORY)


# -- wherever a plain image is wanted ----------------------------------------------------------------------------------


def a_release(folder, content):
    manifest = folder / "manifest.toml"
    manifest.write_bytes(manifest_path().read_bytes())
    return add_release(manifest, Release("core-9", "spark-core", "9", "ok"), content).read_bytes()


def over_the_air(_folder, content):
    return read_core_image(content, "new.dfu", force=False)


def an_image_a_twin_knows(folder, content):
    found = core_catalogue(MANIFEST, [save(folder, content)]).find(OTHER)
    return found.data if found is not None else b""


OTHER = NEW.data[:-4] + b"core"
TAKERS = {taker.__name__: taker for taker in (a_release, over_the_air, an_image_a_twin_knows)}


WRAPS = {"suffix": lambda data: add_suffix(data, CORE), "DfuSe": lambda data: container((APP, data))}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("taker", TAKERS)
def test_a_plain_image_is_unpacked_wherever_one_is_taken(tmp_path, taker, wrap):
    assert TAKERS[taker](tmp_path, WRAPS[wrap](OTHER)) == OTHER


REFUSED = {
    "several images": (container((APP, OTHER), (FACTORY, OTHER)), "container with 2 images"),
    "a bootloader's": (container((0x0800_0000, OTHER)), "for 0x08000000; an application belongs at 0x08005000"),
    "another device's": (container((APP, OTHER), suffix=DfuSuffix(0x0483, 0xDF11)), "0483:df11"),
    "damaged": (WHOLE[:-1] + b"x", "CRC"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("taker", TAKERS)
def test_what_is_no_plain_image_is_refused_by_what_it_is(tmp_path, taker, case):
    content, reason = REFUSED[case]
    with pytest.raises(Misuse, match=reason):
        TAKERS[taker](tmp_path, content)


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_manifest_that_names_a_dfu_file_is_told_who_unpacks_it(tmp_path, wrap):
    content = WRAPS[wrap](OTHER)
    save(tmp_path, content)
    (tmp_path / "manifest.toml").write_text(
        '[[image]]\nname = "mine"\nboard = "spark-core"\nversion = "1"\nruns = "ok"\nfile = "new.dfu"\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\n'
    )
    with pytest.raises(Misuse, match=r"'mine': .*new\.dfu is a DFU file"):
        Manifest.load(tmp_path / "manifest.toml").image("mine")


def test_a_container_for_an_esp32_is_refused_by_what_it_is(tmp_path):
    manifest = tmp_path / "manifest.toml"
    manifest.write_bytes(manifest_path().read_bytes())
    any_device = container((APP, OTHER), suffix=DfuSuffix(0xFFFF, 0xFFFF))
    assert is_container(any_device)
    with pytest.raises(Misuse, match="a DfuSe file"):
        add_release(manifest, Release("esp32-9", "esp32", "9", "ok"), any_device)
