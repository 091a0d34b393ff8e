"""Planted faults of an ESP32's sweeps: each way that a start depends on flash is forgotten, and what updates find."""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.sweep import cast, flash_contents, work
from rig.families.esp32.sweep import paths as esp_paths
from rig.families.esp32.sweep import start as esp_start
from rig.families.esp32.twin import questions
from rig.sweep.scenario import Settled
from rig.twin import footprint
from tests.rig.families.esp32.sweep import checks_esp32_sweep as check

_read, _ask = footprint.PageTrace.read, footprint.PageTrace.ask


def _forget_pages(*forgotten):
    """Pages that a start reads, and nobody writes down."""

    def read(self, pages, first, last):
        for page in range(first, last):
            if page not in forgotten:
                _read(self, pages, page, page + 1)

    return lambda m: m.setattr(footprint.PageTrace, "read", read)


def _forget_question(name):
    def ask(self, pages, first, last, question):
        if question.__name__ != name:
            _ask(self, pages, first, last, question)

    return lambda m: m.setattr(footprint.PageTrace, "ask", ask)


def _all_verdicts_are_one(m):
    m.setattr(questions.Verdict, "__eq__", lambda *_: True)
    m.setattr(questions.Verdict, "__hash__", lambda _: 0)


def _what_is_printed_counts(m):
    m.setattr(questions.Verdict, "__eq__", lambda one, other: one is other)
    m.setattr(questions.Verdict, "__hash__", lambda one: id(one))


def _first_start(self, memory):
    """What starts first counts, whatever comes of it."""
    board = self.board(memory)
    board.power_on(0)
    esp_start.settle(board)
    names = [event.name for event in board.events if event.name.startswith("start:")]
    return Settled(self.roles.get(names[0].split(":", 2)[2], "other"), "self")


def _path(name, **changes):
    path = esp_paths.ESP32_SWEEPS[name]
    return lambda m: m.setitem(esp_paths.ESP32_SWEEPS, name, replace(path, **changes))


def _write_only(built, memory):
    """Everything is written, and the board waits for more."""
    board = built.start.board(memory)
    board.gpio0_low = True
    board.power_on(0)
    with work.RomLoader(work.SerialInMemory(board), resets=False) as rom:
        work.everything(rom, built)


def _without_edges(self, offset, length):
    """The first and last bytes of a segment are in pages that others are in, too."""
    first, last, _ = self._place(offset, length)
    folded = 0
    for page in self._pages[first + 1 : last]:
        folded ^= self._folded(page)
    return folded


MUTANTS = {
    "esp32 start: restarts for ever are waited for": (
        lambda m: m.setattr(esp_start, "RESTARTS_UNTIL_LOOP", 10**9),
        check.a_board_that_restarts_for_ever_is_a_loop,
    ),
    "esp32 start: its second stage is forgotten": (_forget_pages(*range(1, 8)), check.the_second_stage_counts),
    "esp32 start: its partition table is forgotten": (_forget_pages(8), check.the_partition_table_counts),
    "esp32 start: its first record is forgotten": (_forget_pages(0xD, 0xF), check.both_records_count),
    "esp32 start: its second record is forgotten": (_forget_pages(0xE, 0x10), check.both_records_count),
    "esp32 start: whether an image is good is forgotten": (
        _forget_question("is_the_image_good"),
        check.an_image_counts_that_is_half_written,
    ),
    "esp32 start: which image it is is forgotten": (
        _forget_question("which_application"),
        check.two_images_of_the_same_shape_are_told_apart,
    ),
    "esp32 questions: one image is as good as another": (
        _all_verdicts_are_one,
        check.an_image_counts_that_is_half_written,
    ),
    "esp32 questions: what is printed makes a difference": (
        _what_is_printed_counts,
        check.an_image_that_is_half_written_takes_few_starts,
    ),
    "esp32 questions: pages that a segment has in part are left out": (
        lambda m: m.setattr(questions._Stretch, "fold", _without_edges),
        check.an_image_that_was_written_whole_runs,
    ),
    "esp32 start: what starts first counts": (
        lambda m: m.setattr(esp_start.ColdStart, "__call__", _first_start),
        check.an_update_that_crashes_is_given_up,
    ),
    "esp32 sweep: the earlier update was never rolled back": (
        _path("second-update", before=flash_contents.with_other_slot),
        check.a_rollback_record_is_forgotten_by_the_next_update,
    ),
    "esp32 sweep: no record is for the slot that is damaged": (
        _path("factory-fallback", before=flash_contents.nothing_recorded),
        check.a_record_of_a_broken_slot_starts_an_update_that_nobody_chose,
    ),
    "esp32 sweep: the factory application runs beside a record": (
        _path("factory-update", before=flash_contents.twice_updated),
        check.a_factory_application_takes_its_first_update_without_a_record,
    ),
    "esp32 sweep: what is on probation confirms itself": (
        _path("update-on-probation", cast=cast.as_named),
        check.an_update_on_probation_takes_away_what_a_board_falls_back_to,
    ),
    "esp32 sweep: a board is not started that was written": (
        _path("serial-all", work=_write_only),
        check.a_board_that_was_written_whole_starts_once_more,
    ),
}
