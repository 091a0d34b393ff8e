"""Named checks of the moment at which an outcome was seen: a fault that is told later is told as of then."""

from __future__ import annotations

import time

import pytest

from rig.drivers.console import ConsoleRecorder
from rig.drivers.recording import Entry
from rig.errors import DeviceFault
from rig.firmware.outcomes import Became
from rig.suites.fault_report import fault_report_of
from tests.rig.families.esp32.lab.checks_rack import BANNER, RUNS, board_that_says, climber
from tests.rig.families.spark_core.campaign.checks_bench import board_in_dfu
from tests.rig.firmware.checks_expectations import OneTest
from tests.rig.lab.checks_faults import a_core_that


def _seen_before(board, name, climb):
    """Whether the outcome was seen before the board's method of this name was called; `climb` climbs it."""
    calls = []
    real = getattr(board, name)

    def called(*words, **named):
        calls.append(time.monotonic_ns())
        return real(*words, **named)

    setattr(board, name, called)
    outcome = climb()
    return outcome.at_ns is not None and outcome.at_ns <= calls[0]


def a_stranded_board_is_seen_before_a_hand_comes(_folder):
    board, ladder = board_in_dfu("press_reset")
    assert _seen_before(board, "press_reset", lambda: ladder.climb(lambda _text: None))


def what_runs_is_seen_before_the_reader_comes(_folder):
    """The reader restarts the board, and its words would be the last on the console."""
    board = board_that_says((0.1, BANNER), (0.4, RUNS))
    ladder = climber(board)
    ladder._what_runs = lambda: board.enter_readback_mode() or "old"
    board.enter_readback_mode = lambda: None
    assert _seen_before(board, "enter_readback_mode", lambda: ladder.climb(lambda _text: None))


def a_worse_outcome_is_a_fault_of_its_moment(tmp_path):
    at_ns = None
    try:
        OneTest(tmp_path).compare("erase", Became("dead", "none", at_ns=17))
    except DeviceFault as fault:
        at_ns = fault.at_ns
    assert at_ns == 17


def _rescued_since():
    """The story of a Core that was stranded and brought back before anybody told of it."""
    core = a_core_that(None)
    core.console = ConsoleRecorder("nowhere", 1)
    core.console._note(Entry(time.monotonic_ns(), "bytes", b"no bootable app\n"))
    at_ns = time.monotonic_ns()
    core.history.add_action("wrote core-old")
    core.console._note(Entry(time.monotonic_ns(), "bytes", b"it runs\n"))
    try:
        raise DeviceFault("became stranded", at_ns=at_ns)
    except DeviceFault as fault:
        return fault_report_of(fault, pytest.ExceptionInfo.from_current(), core)


def a_fault_is_told_with_the_console_of_its_moment(_folder):
    assert _rescued_since().console == ["no bootable app"]


def a_fault_is_told_with_what_was_done_before_it(_folder):
    story = _rescued_since()
    assert story.did == "wrote core-9.9"
    assert "wrote core-old" in story.timeline[-1], "the timeline goes on"
