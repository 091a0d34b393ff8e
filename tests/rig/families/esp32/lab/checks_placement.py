"""Named checks of test_mutants about how much flash a board has, and for how much its second stage is built."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.bootloader import build_bootloader, for_flash
from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS, TABLE_OFFSET
from rig.families.esp32.formats.second_stage import SecondStage
from rig.families.esp32.lab.factory import ship_esp32
from rig.families.esp32.lab.placement import misplaced, would_start
from rig.families.esp32.twin import spi_flash
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import FLASH_SIZES
from rig.firmware.checkout import manifest_path
from rig.firmware.manifest import Manifest
from tests.rig.families.esp32.lab.flash_contents import flash, reader
from tests.rig.families.esp32.twin.app.app_board import World

MB = 1 << 20
STAGE = build_bootloader("sizes", 4096)


def board(megabytes: int, size: int = 4 * MB) -> bytes:
    """Flash of a board with two slots in 4 MB, and a second stage for so much."""
    contents = flash((Record.of(1, State.VALID), Record.of(0, State.NEW)))
    stage = for_flash(STAGE, megabytes * MB)
    contents[0x1000 : 0x1000 + len(stage)] = stage
    return bytes(contents.ljust(size, b"\xff")[:size])


def a_board_whose_header_says_less_starts_nothing(_folder: object) -> None:
    less, enough = would_start(reader(board(2))), would_start(reader(board(4)))
    assert (less.partition, enough.partition and enough.partition.label) == (None, "app0")
    assert less.because == (
        "flash_parts: partition 3 invalid - offset 0x150000 size 0x140000 exceeds flash chip size 0x200000: "
        "its second stage is built for 2 MB of flash"
    )


def a_set_for_less_flash_than_its_table_needs_is_refused(_folder: object) -> None:
    blank = reader(b"\xff" * (4 * MB))
    whole = {megabytes: board(megabytes)[0x1000:] for megabytes in (2, 4)}
    refused = misplaced(blank, 0x1000, whole[2])
    assert (
        refused == "its second stage is built for 2 MB of flash, and app1 ends at 0x290000: it would restart for ever"
    )
    assert misplaced(blank, 0x1000, whole[4]) is None


def a_part_of_a_set_is_held_against_what_is_on_the_board(_folder: object) -> None:
    small, large = LAYOUTS["two_ota_2mb"].pack(), LAYOUTS["two_ota_16mb"].pack()
    assert misplaced(reader(board(4)), 0x1000, for_flash(STAGE, 2 * MB)) is not None
    assert misplaced(reader(board(4)), TABLE_OFFSET, large, 16 * MB) is not None
    assert misplaced(reader(board(4)), TABLE_OFFSET, small) is None
    assert "it has 4 MB of flash" in (misplaced(reader(board(16)), TABLE_OFFSET, large) or "")
    assert misplaced(reader(board(16, 16 * MB)), TABLE_OFFSET, large, 16 * MB) is None


def a_second_stage_for_more_flash_than_there_is_starts_nothing(_folder: object) -> None:
    contents = reader(board(16))
    for size, label in ((4 * MB, None), (16 * MB, "app0")):
        start = would_start(contents, flash_size=size)
        assert (start.partition and start.partition.label) == label
    why = "its second stage is built for 16 MB of flash, and it has 4 MB of flash: what starts aborts"
    assert would_start(contents, flash_size=4 * MB).because == why
    for under in (board(4), b"\xff" * (4 * MB)):
        assert misplaced(reader(under), 0x1000, for_flash(STAGE, 16 * MB), 4 * MB) == why


def an_application_aborts_on_less_flash_than_was_promised(_folder: object) -> None:
    for idf, aborts in (("3.3", False), ("4.4", True), ("5.5", True)):
        world = World(EspBehaviour(idf=idf))
        world.board.bootloaders = lambda *_: BootConfig(flash_size=16 * MB)
        world.power_on().run(3.0)
        assert ("Detected size(4096k) smaller than the size" in world.console) == aborts, idf


def a_new_board_starts_with_all_its_flash(_folder: object) -> None:
    roles = Manifest.load(manifest_path(None)).roles("esp32")
    for size in FLASH_SIZES:
        with tempfile.TemporaryDirectory() as state:
            ship_esp32(Path(state), roles, size)
            contents = bytearray(Path(state, "flash.bin").read_bytes())
        stage = SecondStage.read(reader(contents))
        assert stage is not None
        assert (len(contents), stage.flash.size) == (size, size)
        assert boot_once(contents, stage.config(BootConfig())).booted == "ota_0"


def the_flash_says_how_large_it_is(_folder: object) -> None:
    for size in FLASH_SIZES:
        chip = Chip(flash_size=size)
        chip.write(spi_flash.BASE + spi_flash.USER, 1 << 28)
        chip.write(spi_flash.BASE + spi_flash.USER2, spi_flash.READ_ID)
        chip.write(spi_flash.BASE + spi_flash.MISO_DLEN, 23)
        chip.write(spi_flash.BASE + spi_flash.CMD, 1 << 18)
        assert chip.read(spi_flash.BASE + spi_flash.W0) == 0x40EF | (size.bit_length() - 1) << 16


def always_four_megabytes(real):
    """A part that says 0x16 of its size, whatever it is."""

    def command(self, code: int, sent: bytes) -> bytes:
        return b"\xef\x40\x16" if code == spi_flash.READ_ID else real(self, code, sent)

    return command
