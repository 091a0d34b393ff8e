"""Named checks of test_mutants about an ESP32 between its reset and its application: ROM, stub, second stage."""

from __future__ import annotations

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats.loader import Op, Request
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.legacy_stub import MOST_AHEAD
from rig.families.esp32.twin.memory import Esp32Memory
from rig.formats import slip
from tests.rig.families.esp32.lab.checks_rack import started_anew
from tests.rig.families.esp32.twin.app.app_board import World
from tests.rig.families.esp32.twin.models import downloading, with_stub


def said_by_a_blank(revision: int) -> str:
    """The console of a chip that finds nothing to load, for three seconds."""
    board = Esp32(
        Esp32Memory(), Chip(revision=revision), find=lambda _area: None, bootloaders=lambda _area, _chip: None
    )
    said = bytearray()
    board.uart.on_output = said.extend
    board.power_on(0.0)
    board.advance(3.0)
    return said.decode()


def each_mask_says_in_its_own_words_that_nothing_is_there(_folder):
    old, new = said_by_a_blank(100), said_by_a_blank(300)
    assert "flash read err, 1000\r\nets_main.c 371 \r\nets Jun  8 2016 00:22:57\r\nrst:0x10" in old
    assert "invalid header" not in old
    assert "invalid header: 0xffffffff\r\ninvalid header: 0xffffffff\r\n" in new
    assert "ets_main" not in new


def no_window_makes_the_stub_send_without_end(_folder):
    """Frames of a byte each, and room for all of flash ahead: it waits for the host all the same."""
    host = with_stub(downloading(), "legacy")
    words = b"".join(word.to_bytes(4, "little") for word in (0, 0x40_0000, 1, 0xFFFF_FFFF))
    frames = host.send(slip.frame(Request(Op.READ_FLASH, words).pack()))
    assert len(frames) == 1 + MOST_AHEAD
    assert len(host.send(slip.frame((3).to_bytes(4, "little")))) == 3


def the_second_stage_sets_its_own_rate(_folder):
    world = World(EspBehaviour())
    host = with_stub(started_anew(world.board), "legacy")
    host.ask(Op.CHANGE_BAUD, 460_800, 115_200)
    assert world.board.uart.baud == 460_800
    host.send(slip.frame(Request(Op.RUN_USER_CODE, b"").pack()))
    assert (world.board.running, world.board.uart.baud) == ("ota_0", 115_200)
