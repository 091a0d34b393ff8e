"""What a twin keeps between two processes, and what it says of a folder, a file or an option that cannot be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rig.errors import Misuse
from rig.families.esp32.firmware.details import boots_of
from rig.families.esp32.firmware.second_stages import SecondStages
from rig.families.esp32.formats.flash_parameters import FlashParameters
from rig.families.esp32.formats.header import Header
from rig.families.esp32.twin.bootloaders import bootloaders_of
from rig.families.esp32.twin.chip import KEPT_SIZE, Chip
from rig.families.esp32.twin.process import Esp32Process
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.process import CoreProcess
from rig.families.spark_core.twin.state_files import boots_as_first_seen
from tests.rig.families.esp32.twin import checks_state as assert_that
from tests.rig.families.esp32.twin.checks_state import MAC, patched, process_kind, second_stage
from tests.rig.installed import installed
from tests.rig.waiting import HANGS


def esp32(state: Path, **fields: object) -> Esp32Process:
    return Esp32Process(state=state, **process_kind(**fields))


def core(state: Path) -> CoreProcess:
    return CoreProcess(state=state, identify=lambda _area: None, uid=bytes(12), time_scale=0, seed=0)


# -- files -----------------------------------------------------------------------------------------------------------


def test_nothing_is_half_written(tmp_path):
    assert_that.nothing_is_half_written(tmp_path)


def test_what_a_core_first_booted_by_is_noted_whole(tmp_path):
    """A note without contents would make the bootloader one that was lost."""
    note, memory = tmp_path / "boot-code.sha256", CoreMemory()
    assert boots_as_first_seen(note, memory)
    assert len(note.read_bytes()) == 64
    assert boots_as_first_seen(note, memory)


@pytest.mark.parametrize("make", [esp32, core])
def test_a_folder_is_one_twins_at_a_time(tmp_path, make):
    first = make(tmp_path)
    with pytest.raises(Misuse, match=str(tmp_path)):
        make(tmp_path)
    first.close()
    make(tmp_path).close()


def test_what_is_burned_is_the_same_chip_s_in_the_next_process(tmp_path):
    first = esp32(tmp_path, mac=MAC, revision=300)
    first.board.chip.raise_secure_version(2)
    first.close()
    again = esp32(tmp_path)
    assert (again.board.chip.mac, again.board.chip.revision, again.board.chip.secure_version) == (MAC, 300, 2)
    again.close()


def test_kept_efuses_are_the_chip(tmp_path):
    assert_that.kept_efuses_are_the_chip(tmp_path)


CONTRADICTIONS = {
    "another address": ({"mac": b"\2\0\0\0\0\1"}, "24:0a:c4:00:00:09.*02:00:00:00:00:01"),
    "another revision": ({"revision": 300}, r"v1\.0.*v3\.0"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_options_that_contradict_the_efuses_are_refused_by_both_names(tmp_path, case):
    fields, said = CONTRADICTIONS[case]
    (tmp_path / "efuses.bin").write_bytes(Chip(MAC, revision=100).efuses)
    with pytest.raises(Misuse, match=f"efuses.bin.*{said}"):
        esp32(tmp_path, **fields)


#: A file of the folder, and what is in its place.
BAD_FILES = {
    "flash that is a folder": ("flash.bin", None, "it is no file"),
    "flash that is short": ("flash.bin", b"\xff" * 100, "flash contents are 100 bytes"),
    "eFuses that are a folder": ("efuses.bin", None, "it is no file"),
    "eFuses that are short": ("efuses.bin", bytes(10), f"{KEPT_SIZE} bytes, not 10"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_is_refused_by_its_name(tmp_path, case):
    name, contents, said = BAD_FILES[case]
    if contents is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(contents)
    with pytest.raises(Misuse, match=said) as refused:
        esp32(tmp_path)
    assert str(tmp_path / name) in str(refused.value)


# -- options ---------------------------------------------------------------------------------------------------------

BAD_OPTIONS = {
    "certificates that are nowhere": ["--trust", "/nonexistent"],
    "an address that is none": ["--address", "nonsense"],
    "an endless time": ["--time-scale", "inf"],
    "no time at all": ["--time-scale", "nan"],
    "time that runs back": ["--time-scale", "-1"],
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_an_option_that_cannot_be_is_refused_in_a_line_that_names_it(tmp_path, case):
    words = [installed("rig"), "twin", "esp32", "--state", str(tmp_path / "state"), *BAD_OPTIONS[case]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANGS, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)
    assert BAD_OPTIONS[case][0] in done.stderr


# -- second stages ---------------------------------------------------------------------------------------------------


def test_a_second_stage_is_known_by_whatever_parameters(tmp_path):
    assert_that.a_second_stage_is_known_by_whatever_parameters(tmp_path)
    assert_that.a_second_stage_with_a_byte_wrong_is_none(tmp_path)


def test_esptool_itself_writes_what_is_known(tmp_path):
    (tmp_path / "stage.bin").write_bytes(second_stage().data)
    words = [installed("esptool"), "--chip", "esp32", "merge-bin", "--flash-freq", "80m", "--flash-size", "8MB"]
    words += ["--output", "merged.bin", "0x1000", "stage.bin"]
    subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=HANGS, check=True)
    area = (tmp_path / "merged.bin").read_bytes()[0x1000:]
    assert area != second_stage().data
    assert SecondStages([second_stage()]).find(area) is second_stage()


PARAMETERS = {
    "as built": ((2, 0x20), FlashParameters("DIO", "40MHz", 2, 4 << 20)),
    "faster": ((2, 0x2F), FlashParameters("DIO", "80MHz", 1, 4 << 20)),
    "smaller": ((0, 0x10), FlashParameters("QIO", "40MHz", 2, 2 << 20)),
    "larger": ((3, 0x42), FlashParameters("DOUT", "20MHz", 4, 16 << 20)),
    "none that there are": ((9, 0xEE), FlashParameters("SLOW READ", "20MHz", 4, 2 << 20)),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_flash_parameters_are_the_header_s(case):
    (mode, speed_size), expected = PARAMETERS[case]
    area = patched(second_stage().data, mode=mode, speed_size=speed_size)
    assert FlashParameters.of(Header.unpack(area)) == expected


def test_the_second_stage_goes_by_its_own_header(known_esp32):
    stage = next(image for image in known_esp32.images("esp32") if boots_of(image) is not None)
    config = bootloaders_of(known_esp32.images("esp32"))(patched(stage.data, speed_size=0x1F) + b"\xff" * 100, Chip())
    assert config is not None
    assert (config.flash_size, config.spi_speed) == (2 << 20, "80MHz")


@pytest.fixture
def known_esp32():
    from rig.firmware.checkout import manifest_path
    from rig.firmware.manifest import Manifest

    return Manifest.load(manifest_path())


# -- what EN leaves --------------------------------------------------------------------------------------------------


def test_flash_keeps_its_supply_when_en_is_pulled(tmp_path):
    assert_that.flash_keeps_its_supply_when_en_is_pulled(tmp_path)
