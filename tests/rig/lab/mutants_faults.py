"""Planted faults for test_mutants: a lab's mistakes taken for a board's, and faults that do not tell their story."""

from __future__ import annotations

import time
from dataclasses import replace

from rig.boards import assertions
from rig.boards.history import History
from rig.drivers.console import ConsoleRecorder
from rig.errors import DeviceFault, LabFault
from rig.families.esp32.boards import assertions as console_assertions
from rig.families.esp32.boards import identity as chip_identity
from rig.families.spark_core.boards import board as spark_core
from rig.families.spark_core.boards import identity as core_identity
from rig.families.spark_core.boards import mode_button
from rig.family import tags
from rig.lab import acquisition, health
from rig.recovery.ladder import RescueLadder
from rig.suites import bugs, expecting, fault_report
from tests.rig.lab import checks_faults as of_faults
from tests.rig.recovery import checks_outcome_moment as of_moment
from tests.rig.suites import checks_whose_fault


class _Never(Exception):
    """Raised by nobody."""


def _when_it_is_over(self, note):
    return replace(REAL_CLIMB(self, note), at_ns=time.monotonic_ns())


def _of_no_moment(*words, at_ns=None, **named):
    return DeviceFault(*words, **named)


REAL_CLIMB = RescueLadder.climb


def _told_twice(error, _at):
    return str(error), str(error), f"expected {error}, and seen was {error}"


MUTANTS = {
    "board: nobody asks a chip who it is": (
        lambda m: m.setattr(chip_identity, "check_mac", lambda *_asked, **_of: None),
        of_faults.another_chip_than_the_tag_names_is_not_written_to,
    ),
    "board: nobody asks a Core who it is": (
        lambda m: m.setattr(core_identity, "check_core", lambda *_asked, **_of: None),
        of_faults.another_core_than_the_tag_names_is_not_written_to,
    ),
    "mode: nobody looks under other bus ids": (
        lambda m: m.setattr(mode_button.ModeButton, "_check_bus_id", lambda self: None),
        of_faults.a_core_under_another_bus_id_is_not_a_dead_one,
    ),
    "mode: whatever hangs under another bus id is the board": (
        lambda m: m.setattr(mode_button, "poll", lambda *_look, **_how: ["1-0"]),
        of_faults.a_dead_core_among_live_ones_is_dead,
    ),
    "tags: a value that none has is as good as another": (
        lambda m: m.setattr(tags.Choice, "is_well_formed", lambda self, _text: True),
        of_faults.what_only_a_malformed_tag_hides_is_told,
    ),
    "health: a wrong description is looked into as any fault of the lab": (
        lambda m: m.setattr(health, "Misdescribed", type("Another", (LabFault,), {})),
        of_faults.a_wrong_description_is_not_the_boards,
    ),
    "boards: a place is handed out whatever its tags lack": (
        lambda m: m.setattr(acquisition, "check_tags", lambda _board: None),
        of_faults.a_place_without_what_its_kind_needs_is_not_handed_out,
    ),
    "boards: a place that was found wrong is handed out again": (
        lambda m: m.setattr(acquisition.Boards, "exclude", lambda self, _name, _fault: None),
        of_faults.a_wrong_description_costs_one_test_and_not_the_night,
    ),
    "story: a fault does not say what was done": (
        lambda m: m.setattr(History, "last_actions", ""),
        of_faults.a_board_that_never_appears_is_told_with_what_was_done,
    ),
    "story: nobody notes what a board is done to": (
        lambda m: m.setattr(History, "add_action", lambda self, _deed: None),
        of_faults.what_a_console_does_not_say_is_a_fault,
    ),
    "story: what a board shows is not noted": (
        lambda m: m.setattr(History, "add_sign", lambda self, _source, _sign: None),
        of_faults.a_board_that_shows_something_else_is_told_with_that,
    ),
    "story: what was done before the known state is told": (
        lambda m: m.setattr(History, "_since_known", lambda self: list(self.moments)[:-1]),
        of_faults.what_was_done_before_the_known_state_is_not_told,
    ),
    "demands: whatever a board does is enough": (
        lambda m: m.setattr(assertions, "poll", lambda *_look, **_how: True),
        of_faults.what_a_board_does_not_do_is_a_fault_with_all_that_belongs_to_it,
    ),
    "demands: whoever shows something is alive": (
        lambda m: m.setattr(spark_core.SparkCore, "is_alive", lambda self, _seconds: self.identity() is not None),
        of_faults.what_a_board_does_not_do_is_a_fault_with_all_that_belongs_to_it,
    ),
    "demands: any version is the image's": (
        lambda m: m.setattr(console_assertions, "poll", lambda *_look, **_how: True),
        of_faults.what_a_console_does_not_say_is_a_fault,
    ),
    "story: it has the beginning of the console": (
        lambda m: m.setattr(fault_report, "LAST_LINES", -fault_report.LAST_LINES),
        of_faults.a_story_has_the_last_of_console_and_timeline,
    ),
    "story: an assertion is told as what it found": (
        lambda m: m.setattr(fault_report, "_asserted", lambda error, _at: (str(error), str(error), str(error))),
        of_faults.an_assertion_is_told_with_what_it_wanted_and_found,
    ),
    "verdict: whatever a test's file raises is a bug of its": (
        lambda m: m.setattr(bugs, "NO_BUGS", ()),
        checks_whose_fault.a_bug_in_a_tests_own_file_is_told_with_its_line,
    ),
    "verdict: what a library raises is never a bug of the test": (
        lambda m: m.setattr(bugs, "REACHES", bugs.REACHES | {"tests", "json"}),
        checks_whose_fault.a_bug_in_a_tests_own_file_is_told_with_its_line,
    ),
    "verdict: what the rig raises is a bug of the test": (
        lambda m: m.setattr(bugs, "REACHES", frozenset()),
        checks_whose_fault.a_bug_in_a_tests_own_file_is_told_with_its_line,
    ),
    "verdict: pytest's word against a test is one against the board": (
        lambda m: m.setattr(bugs, "_said_by_pytest", lambda *_words: None),
        checks_whose_fault.what_pytest_finds_wrong_with_a_test_is_told_as_a_bug_of_its,
    ),
    "verdict: a library's own word for a connection is a bug": (
        lambda m: m.setattr(bugs, "_causes", lambda error: [error]),
        checks_whose_fault.a_bug_in_a_tests_own_file_is_told_with_its_line,
    ),
    "story: what is wanted and found alike is told twice": (
        lambda m: m.setattr(fault_report, "_asserted", _told_twice),
        of_faults.what_is_wanted_and_found_alike_is_told_once,
    ),
    "demands: words for a console are taken as they come": (
        lambda m: m.setattr(console_assertions, "_pattern", lambda token: (token, "anything")),
        of_faults.words_for_a_console_may_be_text,
    ),
    "story: a test over its time is told as an assertion": (
        lambda m: m.setattr(fault_report.pytest.fail, "Exception", _Never),
        of_faults.a_test_over_its_time_is_told_in_its_own_words,
    ),
    "ladder: a stranded board is seen once it is healed": (
        lambda m: m.setattr(RescueLadder, "climb", _when_it_is_over),
        of_moment.a_stranded_board_is_seen_before_a_hand_comes,
    ),
    "ladder: what runs is seen by the reader": (
        lambda m: m.setattr(RescueLadder, "climb", _when_it_is_over),
        of_moment.what_runs_is_seen_before_the_reader_comes,
    ),
    "expectations: a fault has no moment": (
        lambda m: m.setattr(expecting, "DeviceFault", _of_no_moment),
        of_moment.a_worse_outcome_is_a_fault_of_its_moment,
    ),
    "story: the console is told as it is now": (
        lambda m: m.setattr(ConsoleRecorder, "text_until", lambda self, _at_ns: self.text),
        of_moment.a_fault_is_told_with_the_console_of_its_moment,
    ),
    "story: the rescue is what was done": (
        lambda m: m.setattr(History, "up_to", lambda self, _at_ns: self),
        of_moment.a_fault_is_told_with_what_was_done_before_it,
    ),
}
