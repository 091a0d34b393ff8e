"""Firmware of one's own: a small manifest over the rig's, looked at before any board is touched."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.firmware.checkout import manifest_path
from rig.firmware.identification import identify
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import all_faults, load_firmware, roles_on
from rig.suites.needs import Needs
from rig.suites.with_firmware import needs_of_all, suites_with
from tests.rig.firmware import checks_firmware as of_firmware
from tests.rig.firmware.checks_firmware import FAULTS
from tests.rig.firmware.own_firmware import content, image, lamp, loaded, the_rigs, written

#: What files tell of themselves.
TELL = {
    "old.bin": "application for ESP32, ESP-IDF 5.1.2",
    "late.bin": "application for ESP32, ESP-IDF 5.4.2, revision v3.1 or later",
    "c3.bin": "application for ESP32-C3, ESP-IDF 5.4.2",
    "stage-2mb.bin": "second stage for ESP32, 2 MB of flash",
    "table.bin": "partition table for ESP32",
    "core.bin": "application for STM32",
    "readme.bin": "a text file",
}


@pytest.mark.parametrize("file", TELL)
def test_a_file_tells_what_it_is(file):
    assert str(identify(content(file))) == TELL[file]


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_is_told_before_a_board_is_touched(tmp_path, case):
    of_firmware.fault(*FAULTS[case])(tmp_path)


def test_good_firmware_has_no_fault(tmp_path):
    stage, table = 'bootloader = "lamp-stage"\n', 'table = "lamp-table"\n'
    more = image("lamp-stage", "stage.bin") + image("lamp-table", "table.bin")
    assert all_faults(loaded(tmp_path, lamp() + stage + table + more)) == []


def test_a_genuine_release_of_the_rigs_own_is_no_noise(tmp_path):
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "core.bin").write_bytes(content("core.bin"))
    listing = image("core-9", "core.bin", "spark-core", 'version = "0.2.1"')
    (tmp_path / "releases" / "manifest.toml").write_text(listing)
    (tmp_path / "manifest.toml").write_text(manifest_path().read_text())
    known = Manifest.load(tmp_path / "manifest.toml").with_fallback(None).trying("core-9")
    assert {role: one.name for role, one in roles_on(known, "spark-core", {}).items()} == {"new": "core-9"}


def test_a_part_that_names_no_image_is_told_with_the_file(tmp_path):
    with pytest.raises(Misuse, match=r"mine\.toml: role previous names 'lost', which is no image"):
        loaded(tmp_path, lamp() + 'previous = "lost"\n')


def test_an_image_wins_over_the_rigs_of_the_same_contents(tmp_path):
    """A board tells what it runs by contents: it is somebody's image then, and behaves as their manifest says."""
    (tmp_path / "copy.bin").write_bytes(the_rigs().image("esp32-old").data)
    known = loaded(tmp_path, image("copy", "copy.bin"))
    assert [one.name for one in known.images("esp32") if one.data == known.image("copy").data] == ["copy"]


def test_a_release_tries_its_own_family_only(tmp_path):
    known = loaded(tmp_path, lamp()).trying("lamp-old")
    assert known.roles("esp32")["new"].name == "lamp-old"
    assert known.roles("spark-core") == the_rigs().roles("spark-core")


def test_a_release_of_idf_that_the_table_contradicts_is_told(tmp_path):
    more = 'esp32 = { client = "https-ota", url = "https://a.test/b", resumption = true }'
    with pytest.raises(Misuse, match=r"'lamp-old', which is built on ESP-IDF 5\.1\.2: .*resumption came with idf 5\.5"):
        loaded(tmp_path, lamp(more=more)).image("lamp-old")


def test_every_case_of_the_suites_runs_with_the_rigs_own_firmware():
    """Whatever is read in a test's source: it must not keep one from running."""
    suites = suites_with(the_rigs())
    assert {suite.name: suite.on_twins.lacks for suite in suites if suite.on_twins.lacks} == {}
    assert all(suite.own == suite.cases for suite in suites)


OWN_TEST = """
import pytest

ROWS = {"one": ("crashing", 3), "two": ("hanging", 4)}
made = pytest.fixture(lambda image: image("full"))
exec("def unwritten(image): return image('text')")

def again(image):
    return image("previous") or again(image)

@pytest.mark.parametrize("case", ROWS)
@pytest.mark.board("esp32")
@pytest.mark.firmware("plain")
def test_of_mine(board, image, made, case):
    role, number = ROWS[case]
    again(image), unwritten(image), image(role), board.updates
"""


def test_what_a_test_asks_for_is_read_in_its_source(tmp_path):
    """With the functions it calls, and the row of its table; what has no source to read asks for nothing."""
    (tmp_path / "test_mine.py").write_text(OWN_TEST)
    found = [needs for _, needs in needs_of_all(the_rigs().path, tmp_path)]
    common = {"old", "bootloader", "table", "previous", "full"}
    assert found == [Needs("esp32", "plain", frozenset({*common, role}), True) for role in ("crashing", "hanging")]


def test_which_suites_run_with_a_family_of_ones_own_and_why_not(tmp_path):
    suites = {suite.name: suite for suite in suites_with(load_firmware(written(tmp_path, lamp())))}
    assert suites["serial"].on_twins.cases == suites["serial"].own == suites["serial"].cases
    assert suites["https_faults"].on_twins.cases == 0
    assert "dfu" not in suites, "it is for another kind of board"
    assert "how lamp-old asks for updates" in min(suites["https_faults"].on_twins.lacks)
