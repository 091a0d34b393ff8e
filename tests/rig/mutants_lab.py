"""Planted faults of the lab for test_mutants: boards left off, holders mistaken, boards blamed for what hangs."""

from __future__ import annotations

import contextlib

import checks_lab as of_lab

from rig.boards.esp32 import Esp32
from rig.boards.wiring import Buttons
from rig.drivers import console
from rig.lab import acquisition, health, hold, holder, reaping
from rig.lab.holder import Life
from rig.twin.real_time import RealTime

REAL_TAKE_FREE = acquisition.Boards._take_free


def _keep_some(self, fitting, count):
    give_back, self._hold.give_back = self._hold.give_back, lambda _name: None
    try:
        return REAL_TAKE_FREE(self, fitting, count)
    finally:
        self._hold.give_back = give_back


def _by_number(self):
    return Life.ALIVE if self.pid == of_lab.ME.pid else Life.DEAD


def _if_unchanged(place, held_by, _half_acquired):
    return held_by is not None and held_by.life is Life.DEAD and not place.comment


MUTANTS = {
    "twin: its clock does not look again after a request": (
        lambda m: m.setattr(RealTime, "now", RealTime._seconds),
        of_lab.a_core_comes_back_from_dfu_without_being_looked_at,
    ),
    "board: fed with its buttons as they are": (
        lambda m: m.setattr(Buttons, "let_go", lambda self: None),
        of_lab.no_board_gets_its_supply_with_a_button_pressed_that_nobody_holds,
    ),
    "board: let go of while it has its supply": (
        lambda m: m.setattr(Buttons, "left_pressed", lambda self: False),
        of_lab.a_board_that_stands_with_a_button_pressed_goes_off_before_it_is_let_go_of,
    ),
    "lab: a holder is a number": (
        lambda m: m.setattr(holder.Holder, "life", property(_by_number)),
        of_lab.a_process_is_known_by_more_than_its_number,
    ),
    "lab: a comment keeps a place from being reaped": (
        lambda m: m.setattr(reaping, "_is_left", _if_unchanged),
        of_lab.what_a_dead_process_left_is_given_back_whatever_changed_on_it,
    ),
    "lab: what is held by hand is reaped": (
        lambda m: m.setattr(reaping, "_is_left", lambda *_: True),
        of_lab.what_somebody_took_by_hand_is_left_alone,
    ),
    "lab: nobody notes what it acquires": (
        lambda m: m.setattr(hold.Notes, "kept", lambda self, _name: contextlib.nullcontext()),
        of_lab.a_process_that_dies_while_it_acquires_leaves_nothing_behind,
    ),
    "lab: one place stops the reaping": (
        lambda m: m.setattr(reaping, "RigError", ZeroDivisionError),
        of_lab.a_place_that_fails_does_not_keep_others_from_being_powered,
    ),
    "lab: a board that is held down counts as well": (
        lambda m: m.setattr(Buttons, "left_pressed", lambda self: False),
        of_lab.a_board_that_is_held_down_counts_as_standing_still,
    ),
    "lab: holders of other hosts are passed over in silence": (
        lambda m: m.setattr(reaping, "_unjudged", lambda *_: ""),
        of_lab.a_holder_of_another_host_is_named_with_what_takes_its_place_away,
    ),
    "lab: quarantine is ignored": (
        lambda m: m.setattr(acquisition, "is_quarantined", lambda _tags: False),
        of_lab.a_board_in_quarantine_is_not_handed_out,
    ),
    "lab: some of several boards are kept": (
        lambda m: m.setattr(acquisition.Boards, "_take_free", _keep_some),
        of_lab.of_two_boards_none_is_kept_when_one_is_taken,
    ),
    "lab: a place without its exporter ends the search": (
        lambda m: m.setattr(acquisition, "Unreachable", ZeroDivisionError),
        of_lab.a_place_that_cannot_be_reached_is_passed_over,
    ),
    "lab: every fault is the board's": (
        lambda m: m.setattr(health, "LabFault", ZeroDivisionError),
        of_lab.a_fault_of_the_lab_that_is_over_is_not_its_boards,
    ),
    "lab: a worker of the same run is a stranger": (
        lambda m: m.setattr(holder.Holder, "is_of_this_run", False),
        of_lab.a_board_of_the_own_run_is_waited_for_beyond_all_patience,
    ),
    "lab: everybody is of the same run": (
        lambda m: m.setattr(holder.Holder, "is_of_this_run", True),
        of_lab.a_board_of_another_run_is_not,
    ),
    "console: nobody asks whether its server is there": (
        lambda m: m.setattr(console.Rfc2217Link, "hangs", lambda self: False),
        of_lab.a_server_that_hangs_is_seen_to,
    ),
    "verdict: a failure is the board's though nothing could be heard": (
        lambda m: m.setattr(Esp32, "hung_since", lambda self, _since_ns: False),
        of_lab.a_failure_while_nothing_could_be_heard_is_the_labs,
    ),
    "board: silence is believed of a port that hangs": (
        lambda m: m.setattr(Esp32, "_check_port", lambda self: None),
        of_lab.silence_at_a_port_that_hangs_is_not_the_boards,
    ),
}
