"""Planted faults of the lab for test_mutants: boards left off, holders mistaken, boards blamed for what hangs."""

from __future__ import annotations

import contextlib
import re

from rig.boards.wiring import Buttons
from rig.drivers import console, labgrid_contact, place, stock_verbs
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.lab import place as esp32_place
from rig.family import place as place_description
from rig.family.place import relay_offers
from rig.lab import acquisition, cut_paths, example, health, held_places, holder, reaping, reservation
from rig.lab.holder import Life
from rig.power import cut_path
from rig.suites import result_collector
from rig.twin.real_time import RealTime
from tests.rig.lab import checks_example as checks_example_lab
from tests.rig.lab import checks_lab as of_lab
from tests.rig.power import checks_cut_paths
from tests.rig.suites import checks_watcher, checks_whose_fault

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


def _first_only(result, word, message, _story=""):
    if result.result == "passed":
        result.result, result.message = word, message


def _asked_once(self):
    return self._coordinator.poll_reservation(self._token)


def _from_the_first_channel(values, _channel, buttons):
    return relay_offers(values, 0, buttons)


MUTANTS = {
    "twin: its clock does not look again after a request": (
        lambda m: m.setattr(RealTime, "now", RealTime.seconds),
        of_lab.a_core_comes_back_from_dfu_without_being_looked_at,
    ),
    "lab: a place that tells no kind has the first one": (
        lambda m: m.setattr(held_places.HeldPlaces, "_kind", lambda _self, _name: "spark-core"),
        of_lab.a_place_that_tells_no_kind_of_board_is_told_how_to_say_it,
    ),
    "board: fed with its buttons as they are": (
        lambda m: m.setattr(Buttons, "release", lambda self: None),
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
        lambda m: m.setattr(held_places.Notes, "noted", lambda self, _name: contextlib.nullcontext()),
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
    "lab: whatever is called a board is ours": (
        lambda m: m.setattr(reaping, "is_ours", lambda tags: "board" in tags),
        of_lab.boards_of_others_are_left_alone,
    ),
    "lab: a reservation that is gone ends the wait": (
        lambda m: m.setattr(reservation.Reservation, "allocated", _asked_once),
        of_lab.a_reservation_that_is_gone_is_made_again,
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
        checks_whose_fault.a_fault_of_the_lab_that_is_over_is_not_its_boards,
    ),
    "lab: a worker of the same run is a stranger": (
        lambda m: m.setattr(holder.Holder, "works_for", lambda *_: False),
        of_lab.a_board_of_the_own_run_is_waited_for_beyond_all_patience,
    ),
    "lab: who holds a board waits for another without an end": (
        lambda m: m.setattr(held_places.HeldPlaces, "names", ()),
        of_lab.nobody_waits_for_ever_who_holds_a_board_meanwhile,
    ),
    "lab: everybody is of the same run": (
        lambda m: m.setattr(holder.Holder, "works_for", lambda *_: True),
        of_lab.a_board_of_another_run_is_not,
    ),
    "lab: stock verbs take any device on the exporter's host": (
        lambda m: m.setattr(stock_verbs, "stock_resources", lambda _serial: {"storage": {"match": {}}}),
        checks_example_lab.a_stock_verb_sees_the_boards_own_devices_and_no_others,
    ),
    "cut: a step of labgrid's is made from the thread that cuts": (
        lambda m: m.setattr(labgrid_contact.inspect, "unwrap", lambda method: method),
        checks_cut_paths.a_cut_through_labgrid_makes_no_step,
    ),
    "cut: two threads use a driver of labgrid at once": (
        lambda m: m.setattr(labgrid_contact, "_lock_of", lambda _driver: contextlib.nullcontext()),
        checks_cut_paths.two_threads_ask_a_driver_of_labgrid_one_after_the_other,
    ),
    "cut: a relay is measured by switching it": (
        lambda m: m.setattr(cut_path, "_milliseconds", lambda contact: contact.switch(True) or 1.0),
        checks_cut_paths.a_path_is_looked_at_and_not_switched,
    ),
    "lab: relays of held places are asked as well": (
        lambda m: m.setattr(cut_paths, "_is_held", lambda _place: False),
        checks_cut_paths.a_relay_of_a_held_place_is_not_asked,
    ),
    "lab: what is dead is only said, with status 0": (
        lambda m: m.setattr(cut_paths, "_seen_in", str),
        checks_cut_paths.a_dead_exporter_and_a_dead_relay_are_told_apart_from_a_live_one,
    ),
    "lab: every place begins at the relay's first channel": (
        lambda m: m.setattr(esp32_place, "relay_offers", _from_the_first_channel),
        checks_example_lab.places_of_a_lab_share_no_relay_channel,
    ),
    "lab: an example writes over what is there": (
        lambda m: m.setattr(example, "is_there", lambda _path: False),
        checks_example_lab.an_example_writes_nothing_over,
    ),
    "lab: an exporter's file is made of whatever was told": (
        lambda m: m.setattr(place_description, "_ADDRESS", re.compile(".*", re.DOTALL)),
        checks_example_lab.an_exporters_file_takes_no_template_from_a_setting,
    ),
    "lab: a driver without anything to work on counts": (
        lambda m: m.setattr(place, "_is_supplied", lambda _driver: True),
        checks_example_lab.a_place_without_a_cloud_has_a_board_without_one,
    ),
    "verdict: the first fault of a test is its only one": (
        lambda m: m.setattr(result_collector, "_take", _first_only),
        checks_watcher.no_phase_hides_a_graver_fault,
    ),
    "console: nobody asks whether its server is there": (
        lambda m: m.setattr(console.Rfc2217Link, "hangs", lambda self: False),
        checks_whose_fault.a_server_that_hangs_is_seen_to,
    ),
    "verdict: a failure is the board's though nothing could be heard": (
        lambda m: m.setattr(Esp32, "hung_since", lambda self, _since_ns: False),
        checks_whose_fault.a_failure_while_nothing_could_be_heard_is_the_labs,
    ),
    "board: silence is believed of a port that hangs": (
        lambda m: m.setattr(Esp32, "_check_port", lambda self: None),
        checks_whose_fault.silence_at_a_port_that_hangs_is_not_the_boards,
    ),
}
