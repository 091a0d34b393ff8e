"""Named checks of test_mutants: boards that are brought back, holders that are dead, boards that are waited for."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

from rig.boards import board as any_board
from rig.errors import LabFault, Misdescribed
from rig.lab import held_places, place_wait, reaping, reservation
from rig.lab.holder import Holder, Life, holder_of
from tests.rig.lab.lab_in_memory import (
    BY_HAND,
    DEAD,
    FREE,
    LEFT,
    ME,
    Boards,
    Coordinator,
    core_as_left,
    raises,
    two_places,
)
from tests.rig.stand_ins import Ticking
from tests.rig.twin.test_clock import comes_by_itself

# -- what a place says of its board ------------------------------------------------------------------------------------


def a_place_that_tells_no_kind_of_board_is_told_how_to_say_it(folder):
    coordinator = Coordinator(folder, shelf_01={**FREE, "tags": {}})
    held = held_places.HeldPlaces(coordinator, "none")
    coordinator.acquire("shelf-01")
    with mock.patch.object(held_places, "build_board", lambda _environment, _place, kind: (kind, None)):
        try:
            built = held.build("shelf-01")
        except Misdescribed as error:
            built = str(error)
    mend = "`labgrid-client -p shelf-01 set-tags board=KIND` with esp32 or spark-core"
    assert built == f"shelf-01: its place has no tag board (hint: {mend})"
    assert coordinator.places()["shelf-01"].acquired is None, "a place is held that nobody uses"


# -- power and buttons -------------------------------------------------------------------------------------------------


def a_core_comes_back_from_dfu_without_being_looked_at(folder):
    assert comes_by_itself("core_leaves_dfu", 0, folder)


#: Whatever gives a board its supply, and the buttons it means to hold meanwhile.
FEEDS = {
    "power_on": (lambda core: core.power_on(), ()),
    "start": (lambda core: core.start(), ()),
    "restart": (any_board.restart, ()),
    "the reader": (lambda core: core.enter_readback_mode(), ("mode",)),
    "a factory reset": (lambda core: core.factory_reset(), ("mode",)),
}


def no_board_gets_its_supply_with_a_button_pressed_that_nobody_holds(_folder):
    for name, (supply_power, meant) in FEEDS.items():
        core, log = core_as_left()
        supply_power(core)
        pressed = {"mode", "reset"}
        for line, closed in log[: log.index(("power", True))]:
            (pressed.add if closed else pressed.discard)(line)
        assert pressed == set(meant), name


def a_board_that_stands_with_a_button_pressed_goes_off_before_it_is_let_go_of(_folder):
    core, log = core_as_left(powered=True, pressed=("mode",))
    any_board.release_buttons(core)
    assert log == [("power", False), ("mode", False), ("reset", False)]


# -- holders -----------------------------------------------------------------------------------------------------------


LIVES = {
    "this process": (ME, Life.ALIVE),
    "one that had our number before us": (DEAD, Life.DEAD),
    "one from before the machine was started": (replace(ME, boot="another"), Life.DEAD),
    "one whose number nobody has": (replace(ME, pid="4194305"), Life.DEAD),
    "one of another host": (replace(ME, host="another"), Life.ELSEWHERE),
    "one of another container": (replace(ME, pids="1"), Life.ELSEWHERE),
    "one whose number is none": (replace(ME, pid="²"), Life.ELSEWHERE),
    "one whose number has no end": (replace(ME, pid="9" * 5000), Life.ELSEWHERE),
}


def a_process_is_known_by_more_than_its_number(_folder):
    for case, (holder, life) in LIVES.items():
        assert Holder.read(holder.mark) == holder
        assert holder.life is life, case


def what_a_dead_process_left_is_given_back_whatever_changed_on_it(folder):
    coordinator = two_places(folder, **LEFT)
    coordinator.tag("core-02", health="quarantine", reason="dead")
    coordinator.places()["core-02"].comment, coordinator.places()["core-02"].changed = "mine?", 9e9
    boards = Boards(coordinator)
    told = reaping.bring_back(boards._hold)
    assert told.given_back == ["core-02"]
    assert boards.cores["core-02"].relay.get()
    assert coordinator.places()["core-02"].acquired is None


def what_somebody_took_by_hand_is_left_alone(folder):
    boards = Boards(two_places(folder, **BY_HAND))
    assert reaping.bring_back(boards._hold).given_back == []
    assert boards._coordinator.places()["core-02"].acquired == "host/me"
    assert boards.logs["core-02"] == []


def a_process_that_dies_while_it_acquires_leaves_nothing_behind(folder):
    coordinator = two_places(folder)
    boards = Boards(coordinator)
    with contextlib.suppress(ZeroDivisionError):
        coordinator.allow = lambda _name, _user: _die()
        boards._hold.acquire("core-02")
    coordinator.allow = lambda _name, _user: None
    assert holder_of(coordinator.places()["core-02"].allowed) is None
    assert reaping.bring_back(boards._hold).given_back == ["core-02"]


def _die():
    """As a kill does: what would tidy up is not run."""
    notes = held_places.Notes(held_places.ACQUIRING, "")._folder
    for note in notes.glob(f"*.{os.getpid()}"):
        note.with_suffix(".1").write_text(note.read_text().replace(ME.mark, DEAD.mark))
    raise ZeroDivisionError


def a_place_that_fails_does_not_keep_others_from_being_powered(folder):
    boards = Boards(two_places(folder))
    boards.broken = {"core-01"}
    told = []
    assert not raises(LabFault, lambda: told.append(reaping.bring_back(boards._hold)))
    assert (told[0].powered, [fault.board for fault in told[0].unreachable]) == (["core-02"], ["core-01"])


def a_board_that_is_held_down_counts_as_standing_still(folder):
    boards = Boards(two_places(folder))
    boards.cores["core-01"], _ = core_as_left(powered=True, pressed=("reset",))
    assert "core-01" in reaping.bring_back(boards._hold).powered
    assert not boards.cores["core-01"].buttons.left_pressed()


def a_holder_of_another_host_is_named_with_what_takes_its_place_away(folder):
    mark = replace(ME, host="another").mark
    boards = Boards(two_places(folder, acquired="another/me", allowed=[mark]))
    (told,) = reaping.bring_back(boards._hold).unjudged
    assert told.startswith("core-02 is held by process ")
    assert told.endswith("`labgrid-client -p core-02 release -k`")


def boards_of_others_are_left_alone(folder):
    theirs = {**FREE, "tags": {"board": "imx6/rev2"}}
    boards = Boards(Coordinator(folder, core_01=dict(FREE), core_02=theirs))
    assert reaping.bring_back(boards._hold).powered == ["core-01"]
    assert boards.logs["core-02"] == []


# -- choosing ----------------------------------------------------------------------------------------------------------


def a_board_in_quarantine_is_not_handed_out(folder):
    coordinator = two_places(folder)
    for name in coordinator.places():
        coordinator.tag(name, health="quarantine")
    assert raises(LabFault, lambda: Boards(coordinator)._fitting("spark-core", {}))


def of_two_boards_none_is_kept_when_one_is_taken(folder):
    boards = Boards(two_places(folder, **BY_HAND))
    assert boards._take_free(boards._fitting("spark-core", {}), 2) is None
    assert boards._coordinator.places()["core-01"].acquired is None


def a_place_that_cannot_be_reached_is_passed_over(folder):
    for broken, gone in ((set(), {"core-01"}), ({"core-01"}, set())):
        boards = Boards(two_places(folder))
        boards.broken, boards._coordinator.gone = broken, gone
        found = []
        assert not raises(LabFault, lambda boards=boards, found=found: found.append(boards.get("spark-core", {})))
        assert found == [boards.cores["core-02"]]
        assert boards._coordinator.places()["core-01"].acquired is None


def a_reservation_that_is_gone_is_made_again(_folder):
    """Somebody cancels it, as we tell those to who wait for us."""
    queue = []

    def ask(token):
        if [token] != queue[1:]:
            raise LabFault("unknown reservation")

    def reserve(_tags):
        queue.append(f"token {len(queue)}")
        return queue[-1]

    coordinator = SimpleNamespace(
        address="nowhere:1", reserve=reserve, poll_reservation=ask, cancel_reservation=lambda _token: None
    )
    with reservation.Reservation(coordinator, {}) as queued:
        assert not raises(LabFault, queued.allocated)
        assert queue == ["token 0", "token 1"]


# -- boards of the own run ---------------------------------------------------------------------------------------------


OURS = replace(ME, pid="1", run="this run")


def waits(folder, holder, *, until, holds=None):
    """What comes of waiting for a place that `holder` has, which is free after `until` seconds; patience is 60 s."""
    coordinator = Coordinator(folder, core_01={"acquired": "host/them", "allowed": [holder.mark]})
    boards, clock = Boards(coordinator, wait_seconds=60.0, run="this run"), Ticking()
    boards._hold._boards |= {holds: None} if holds else {}
    with (
        mock.patch.object(Holder, "life", Life.ALIVE),
        mock.patch.object(place_wait, "Clock", return_value=clock),
    ):
        return boards._place_wait.wait(coordinator.places(), lambda: ["core-01"] if clock.at > until else None)


def a_board_of_the_own_run_is_waited_for_beyond_all_patience(folder):
    try:
        came = waits(folder, OURS, until=1000.0)
    except LabFault:
        came = None
    assert came == ["core-01"], "a worker of the same run has it, and its test is a fault of the lab"


def nobody_waits_for_ever_who_holds_a_board_meanwhile(folder):
    """The other one may be waiting for that very board."""
    assert raises(LabFault, lambda: waits(folder, OURS, until=1000.0, holds="core-02"))


def a_board_of_another_run_is_not(folder):
    for holder in (replace(OURS, run="another"), replace(OURS, run="")):
        assert raises(LabFault, lambda holder=holder: waits(folder, holder, until=1000.0)), "nobody's patience ends"
