"""How much flash a board has, and for how much its second stage is built: twin, stock esptool, serial by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.firmware.bootloader import flash_size_of, for_flash
from rig.families.esp32.firmware.recipes import EspBootloaderRecipe
from rig.families.esp32.firmware.second_stages import SecondStages
from rig.families.esp32.formats.banner import say_banner
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.image import verify
from rig.families.esp32.formats.second_stage import SecondStage
from rig.families.esp32.lab import serial as serial_by_hand
from rig.families.esp32.lab.boot import boot_flash
from rig.families.esp32.twin.memory import BeyondFlash, Esp32Memory
from rig.firmware.manifest import Image
from tests.rig.families.esp32.lab import checks_placement as checks
from tests.rig.families.esp32.lab.checks_placement import MB, STAGE, board
from tests.rig.families.esp32.twin.models import esptool, served_board

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
SIZES = pytest.mark.parametrize("megabytes", [2, 4, 8, 16])


def test_a_board_whose_header_says_less_starts_nothing():
    checks.a_board_whose_header_says_less_starts_nothing(None)


def test_a_set_for_less_flash_than_its_table_needs_is_refused():
    checks.a_set_for_less_flash_than_its_table_needs_is_refused(None)


def test_a_part_of_a_set_is_held_against_what_is_on_the_board():
    checks.a_part_of_a_set_is_held_against_what_is_on_the_board(None)


def test_a_second_stage_for_more_flash_than_there_is_starts_nothing():
    checks.a_second_stage_for_more_flash_than_there_is_starts_nothing(None)


def test_an_application_aborts_on_less_flash_than_was_promised():
    checks.an_application_aborts_on_less_flash_than_was_promised(None)


def test_a_new_board_starts_with_all_its_flash():
    checks.a_new_board_starts_with_all_its_flash(None)


def test_the_flash_says_how_large_it_is():
    checks.the_flash_says_how_large_it_is(None)


@SIZES
def test_stock_esptool_sees_all_of_it(megabytes, tmp_path):
    with served_board(flash_size=megabytes * MB) as served:
        served.into_download()
        assert f"{megabytes}MB" in esptool(served.plain_url, "flash-id", stub=True)
        file = tmp_path / "end.bin"
        file.write_bytes(bytes(range(256)) * 16)
        esptool(served.plain_url, "write-flash", "--flash-size", "keep", hex(megabytes * MB - 0x1000), file, stub=True)
        assert served.board.memory.flash.read(megabytes * MB - 0x1000, 0x1000) == file.read_bytes()


def look(contents: bytes, **how):
    with served_board(flash=contents, **how) as served:
        served.into_download()
        return serial_by_hand.look(served.plain_url, [].append, waits=True)


def test_a_look_says_why_nothing_would_start():
    told = look(board(2))
    assert (told["boots"], told["flash"]) == (None, 4 * MB)
    assert told["because"].endswith("its second stage is built for 2 MB of flash")
    assert [row["label"] for row in told["partitions"]][-1] == "app1"


def test_a_look_at_a_board_without_a_second_stage_says_so():
    told = look(board(4)[:0x1000] + b"\xff" * 0x7000 + board(4)[0x8000:])
    assert (told["boots"], told["because"]) == (None, "there is no second stage at 0x1000")
    assert len(told["partitions"]) == 4


def test_a_look_at_a_board_whose_table_is_none_says_so():
    told = look(board(4)[:0x8000] + b"\0" * 0x1000 + board(4)[0x9000:])
    assert (told["partitions"], told["because"]) == ([], "flash_parts: partition 0 invalid magic number 0x0")


def test_a_look_at_a_board_that_starts_names_the_application():
    told = look(board(4))
    assert (told["boots"], told["because"]) == ("app0", "")


def test_a_set_that_would_brick_the_board_is_not_written(tmp_path):
    (tmp_path / "whole.bin").write_bytes(board(2)[0x1000:])
    with served_board() as served:
        served.into_download()
        how = {"file": tmp_path / "whole.bin", "watch": print, "say": print, "waits": True, "address": 0x1000}
        with pytest.raises(Misuse, match="second stage is built for 2 MB of flash, and app1 ends at 0x290000"):
            serial_by_hand.write_flash(served.plain_url, **how, force=False)
        assert served.board.memory.flash.read(0x1000, 64) == b"\xff" * 64
        serial_by_hand.write_flash(served.plain_url, **how, force=True)
        assert served.board.memory.flash.read(0x1000, 64) == board(2)[0x1000:0x1040]


def boot_by_hand(contents: bytes, tmp_path: Path, *words: str) -> dict[str, object]:
    (tmp_path / "flash.bin").write_bytes(contents)
    command = [sys.executable, "-m", "rig", "twin", "esp32", "boot", "--flash", str(tmp_path / "flash.bin"), "--json"]
    return json.loads(subprocess.run([*command, *words], capture_output=True, text=True, check=True).stdout)


def test_a_start_by_hand_goes_by_the_header(tmp_path):
    told = boot_by_hand(board(2), tmp_path)
    assert (told["booted"], told["end"]) == (None, "SW_SYS_RST")
    assert "I boot.esp32: SPI Flash Size : 2MB" in told["console"]
    assert boot_by_hand(board(4), tmp_path, "--idf", "3.3")["console"][0] == "I boot: ESP-IDF v3.3 2nd stage bootloader"


def test_a_release_that_is_none_is_misuse(tmp_path):
    (tmp_path / "flash.bin").write_bytes(board(4))
    with pytest.raises(Misuse, match="'five' is no release of ESP-IDF"):
        boot_flash(tmp_path / "flash.bin", idf="five")


@SIZES
def test_a_second_stage_for_a_size_is_one_still_and_known_for_what_it_is(megabytes):
    made = for_flash(STAGE, megabytes * MB)
    assert flash_size_of(made) == megabytes * MB
    assert verify(lambda at, length: made[at : at + length], 0, len(made), BootConfig().chip).refused is None
    known = Image("stage", "esp32", "1", STAGE, "ok")
    assert SecondStages([known]).find(made) is known
    assert EspBootloaderRecipe(kind="esp-bootloader", seed="sizes", size=4096, flash=megabytes).build() == made


def test_a_second_stage_that_describes_itself_is_started_as_its_release():
    from tests.rig.families.esp32.firmware.checks_file_kinds import OTHERS

    stage = SecondStage.read(lambda at, length: OTHERS["a second stage that says so"][1][at - 0x1000 :][:length])
    assert (stage.release, stage.version, stage.compiled) == (Idf(5, 5, 1), "v5.5.1", "Jan  1 2026 00:00:00")
    steps = say_banner(stage.config(BootConfig()))
    assert [next(steps).line, next(steps).line] == [
        "I boot: ESP-IDF v5.5.1 2nd stage bootloader",
        "I boot: compile time Jan  1 2026 00:00:00",
    ]


@given(st.sampled_from([2, 4, 8, 16]), st.integers(-64, 64), st.integers(1, 64))
def test_nothing_works_beyond_the_end_of_flash(megabytes, before, length):
    memory = Esp32Memory(megabytes * MB)
    address = memory.size - 64 + before
    if address + length <= memory.size:
        assert list(memory.programming(address, bytes(length)))
        return
    for work in (memory.programming(address, bytes(length)), memory.erasing(address, length)):
        with pytest.raises(BeyondFlash):
            list(work)


def test_another_size_than_the_boards_is_misuse(tmp_path):
    from rig.families.esp32.twin.process import _size_of

    (tmp_path / "flash.bin").write_bytes(bytes(8 * MB))
    assert _size_of(tmp_path / "flash.bin", None) == 8 * MB
    with pytest.raises(Misuse, match="holds 8 MB of flash, not 16"):
        _size_of(tmp_path / "flash.bin", 16 * MB)
