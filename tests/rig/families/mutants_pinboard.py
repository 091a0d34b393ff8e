"""Planted faults of pinboards: a bootloader with another window, landings that are off, a reader that writes."""

from __future__ import annotations

from dataclasses import replace

from tests.rig.families import checks_pinboard as check

from pinboard import power, programs, twin  # isort: skip
from pinboard.formats import APP, FLAG, REQUEST, REQUEST_SIZE, SECTOR, image_in  # isort: skip

from rig.firmware.checkout import part
from rig.lab import lab
from rig.twin import footprint
from rig.twin.steps import Delay

REAL_LOCATE, REAL_READER, REAL_APPLICATION = power.Update.locate, programs.reader, programs.application


def _copies_and_then_forgets(board):
    """No brick window: what was cut is copied again."""
    yield Delay(programs.START_SECONDS)
    board.say("boot")
    if board.button:
        yield from programs.reader(board)
    flag = board.memory.flash.read(FLAG, REQUEST_SIZE)
    if flag[:4] == REQUEST:
        yield from programs.copy(board, min(int.from_bytes(flag[4:], "little"), programs.ROOM))
        yield from programs.forget(board)
    yield from programs.application(board, image_in(board.memory.flash.read(APP, programs.ROOM)))


def _off_by_a_phase(self, *left):
    landing = REAL_LOCATE(self, *left)
    return replace(landing, phase="commit") if landing.phase == "forget" else landing


def _off_by_a_sector(self, *left):
    landing = REAL_LOCATE(self, *left)
    return landing if landing.address is None else replace(landing, address=landing.address + SECTOR)


def _reader_that_forgets(board):
    yield from programs.forget(board)
    yield from REAL_READER(board)


def _runs_in_any_case(board, image):
    board.find = lambda _image: None
    yield from REAL_APPLICATION(board, image)


def _hears_without_power(self, data, now):
    self._heard += data
    self.say("app 1.0")


MUTANTS = {
    "pinboard: what its start reads is forgotten": (
        lambda m: m.setattr(footprint.PageTrace, "read", lambda *_: None),
        check.every_cut_is_swept_as_a_board_that_is_started_whole,
    ),
    "pinboard: its bootloader has no brick window": (
        lambda m: m.setattr(twin, "bootloader", _copies_and_then_forgets),
        check.it_becomes_what_its_expectations_say,
    ),
    "pinboard: a landing is off by a phase": (
        lambda m: m.setattr(power.Update, "locate", _off_by_a_phase),
        check.a_landing_is_where_the_journal_says,
    ),
    "pinboard: a landing is off by a sector": (
        lambda m: m.setattr(power.Update, "locate", _off_by_a_sector),
        check.a_landing_is_where_the_journal_says,
    ),
    "pinboard: its reader forgets what was asked for": (
        lambda m: m.setattr(programs, "reader", _reader_that_forgets),
        check.its_reader_changes_nothing,
    ),
    "pinboard: what crashes runs": (
        lambda m: m.setattr(programs, "application", _runs_in_any_case),
        check.a_crashing_application_answers_nobody,
    ),
    "pinboard: it speaks without power": (
        lambda m: m.setattr(twin.Pinboard, "received", _hears_without_power),
        check.without_power_it_is_silent,
    ),
    "lab: every board is reached as the rig's own": (
        lambda m: m.setattr(lab, "own_environment", lambda: part("places", "virtual.yaml")),
        check.commands_know_how_it_is_reached,
    ),
    "pinboard: nothing is copied": (
        lambda m: m.setattr(programs, "sectors", lambda _length: 0),
        check.what_nobody_cuts_arrives,
    ),
    "pinboard: anything is a sector": (
        lambda m: m.setattr(programs, "_sector", lambda *_words: (0, b"")),
        check.what_is_no_request_is_refused,
    ),
}
