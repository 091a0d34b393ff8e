"""Named checks of test_mutants: a lab's mistakes are told as such, before anything is done to a board."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rig.boards.history import KNOWN
from rig.errors import DeviceFault, Misdescribed, Misuse
from rig.evidence.timeline import Moment
from rig.families.esp32.drivers.loader import SerialAddress
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.drivers.usb_port import DFU, LISTENING
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.lab import health
from rig.lab.place_tags import check_lacking
from rig.suites.fault_report import fault_report_of
from rig.suites.time_limit import TookTooLong
from tests.rig.families.esp32.lab.checks_rack import board_that_says
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.families.spark_core.boards.core_place import CorePlace
from tests.rig.families.spark_core.twin.models import core_in_memory
from tests.rig.lab.lab_in_memory import Boards, raises, two_places
from tests.rig.recovery.test_dead_boards import ESP32_ROLES
from tests.rig.stand_ins import Ticking


def another_chip_than_the_tag_names_is_not_written_to(_folder):
    with served_board() as served:
        served.into_download()
        board = board_that_says(serial=SerialAddress("127.0.0.1", served.plain, "raw"), tags={"mac": "ff" * 6})
        told = []
        assert raises(Misdescribed, lambda: _use(board.loader(), told))
        assert told == []


def another_core_than_the_tag_names_is_not_written_to(_folder):
    device = UsbInMemory(into_dfu(core_in_memory()))
    usb = SimpleNamespace(device=lambda: device)
    clock = SimpleNamespace(sleep=device.sleep)
    core = SparkCore("core-01", relay=None, mode=None, usb=usb, clock=clock, tags={"core_id": "00" * 12})
    told = []
    assert raises(Misdescribed, lambda: _use(core.dfu(), told))
    assert told == []


def _use(conversation, told):
    with conversation as talk:
        told.append(talk)


class Unseen(CorePlace):
    """A Core whose place looks under a bus id with nothing; under others are `live` ones, and itself if it is alive."""

    def __init__(self, *, is_alive, live=()):
        super().__init__("b")
        self._is_alive, self._live = is_alive, live

    def identity(self):
        return None

    def other_dfu_devices(self):
        own = ["1-1"] if self._is_alive and super().identity() == DFU else []
        return {busid: Misdescribed(busid) for busid in (*own, *self._live)}


def a_core_under_another_bus_id_is_not_a_dead_one(_folder):
    try:
        Unseen(is_alive=True, live=["1-0", "1-2"]).board.enter_dfu()
    except Misdescribed as error:
        told = error.message
    except DeviceFault:
        told = "a dead board"
    assert told == "1-1"


def a_dead_core_among_live_ones_is_dead(_folder):
    place = Unseen(is_alive=False, live=["1-0", "1-2"])
    assert fault_of(place.board.enter_dfu) is not None
    assert place.get(), "it is left powered, as without neighbours"


def what_only_a_malformed_tag_hides_is_told(_folder):
    places = {"core-01": {"board": "spark-core", "mode": "wird"}, "core-02": {"board": "spark-core"}}
    assert raises(Misdescribed, lambda: check_lacking("spark-core", {"mode": "wired"}, places))
    check_lacking("spark-core", {"mode": "wired", "generation": "a"}, places)
    check_lacking("esp32", {"mode": "wired"}, places)


def a_wrong_description_is_not_the_boards(_folder):
    board = SimpleNamespace(enter_readback_mode=lambda: (_ for _ in ()).throw(DeviceFault("silence")))
    assert not health.is_suspect(board, Misdescribed("no tag mac"))


def a_place_without_what_its_kind_needs_is_not_handed_out(folder):
    coordinator = two_places(folder)
    boards = Boards(coordinator)
    boards.cores["core-01"].tags = {"wifi": "joined"}
    assert raises(Misdescribed, lambda: boards.get("spark-core", {}))
    assert coordinator.places()["core-01"].acquired is None
    assert coordinator.places()["core-01"].tags["health"] == "ok"


def a_wrong_description_costs_one_test_and_not_the_night(folder):
    boards = Boards(two_places(folder))
    boards.cores["core-01"].tags = {"core_id": "half"}
    found = []
    for _ in range(3):
        raises(Misdescribed, lambda: found.append(boards.get("spark-core", {})))
    assert found == [boards.cores["core-02"]] * 2


# -- the story of a fault ----------------------------------------------------------------------------------------------


def a_core_that(shows):
    """A Core that shows this on USB from now on, after an image was written; time passes by itself."""
    usb = SimpleNamespace(identity=lambda: shows)
    core = SparkCore("core-01", relay=None, mode=None, usb=usb, clock=Ticking())
    core.history.add_action(KNOWN)
    core.history.add_action("wrote core-9.9")
    return core


def fault_of(act):
    """The device fault that it raises; None for none, and for a wrong description."""
    try:
        act()
    except DeviceFault as error:
        return error
    except Misdescribed:
        return None
    return None


def a_board_that_never_appears_is_told_with_what_was_done(_folder):
    core = a_core_that(None)
    error = fault_of(lambda: core.must.be_alive(4.0))
    assert str(error) == "core-01: wrote core-9.9, board never appeared on USB within 4 s"
    assert (error.after, error.expected) == ("wrote core-9.9", "an application that shows itself within 4 s")
    assert error.seen.startswith("nothing on USB for ")


def a_board_that_shows_something_else_is_told_with_that(_folder):
    core = a_core_that(DFU)
    core.identity()  # it stands in DFU before it is looked for
    assert "showed only 1d50:607f (DFU) on USB within 4 s" in str(fault_of(lambda: core.must.be_alive(4.0)))


def what_was_done_before_the_known_state_is_not_told(_folder):
    core = a_core_that(None)
    core.history.add_action(KNOWN)
    assert core.history.last_actions == "was brought to its known state"


def _told(core, moments=()):
    """The story of what is being handled."""
    raised = pytest.ExceptionInfo.from_current()
    return fault_report_of(raised.value, raised, core, moments)


#: What a test demands, and what a Core shows that does not do it.
UNMET = {
    "be alive": (DFU, lambda must: must.be_alive(1.0)),
    "show DFU": (LISTENING, lambda must: must.show(DFU, 1.0)),
    "be silent": (DFU, lambda must: must.be_silent(1.0)),
    "not be alive": (LISTENING, lambda must: must.not_be_alive(1.0)),
    "come to": (None, lambda must: must.satisfy("something", lambda: None, 1.0)),
}


def what_a_board_does_not_do_is_a_fault_with_all_that_belongs_to_it(_folder):
    for case, (shows, demand) in UNMET.items():
        core = a_core_that(shows)
        error = fault_of(lambda core=core, demand=demand: demand(core.must))
        assert error is not None, case
        assert all((error.after, error.expected, error.seen)), case


#: What an ESP32 does not do that says nothing.
UNSAID = {
    "be alive": lambda must: must.be_alive(1.0),
    "say": lambda must: must.say(b"App is valid", 0.01),
    "run": lambda must: must.run(ESP32_ROLES["old"], 0.01),
}


def what_a_console_does_not_say_is_a_fault(_folder):
    for case, demand in UNSAID.items():
        board = board_that_says()
        board.start()
        error = fault_of(lambda board=board, demand=demand: demand(board.must))
        assert error is not None, case
        assert error.after == "power-cycled", case


def a_story_has_the_last_of_console_and_timeline(_folder):
    core = a_core_that(None)
    core.console = SimpleNamespace(text=b"\n".join(b"line %d" % number for number in range(99)))
    try:
        core.must.be_alive(4.0)
    except DeviceFault:
        told = str(_told(core, [Moment(0, "host", "aim")]))
    assert told.splitlines()[:2] == [
        "did:       wrote core-9.9",
        "expected:  an application that shows itself within 4 s",
    ]
    assert ("line 98" in told, "line 88" in told) == (True, False)
    assert "host    aim" in told
    assert told.index("host    aim") < told.index("rig     wrote core-9.9"), "oldest first"


def an_assertion_is_told_with_what_it_wanted_and_found(_folder):
    core = a_core_that(None)
    try:
        assert core.name == "core-02"
    except AssertionError:
        story = _told(core)
    assert story.expected == 'core.name == "core-02"'
    assert story.line.startswith("core-01: wrote core-9.9; expected ")


def what_is_wanted_and_found_alike_is_told_once(_folder):
    try:
        exec("assert 1 == 2, 'assert 1 == 2'")  # as pytest rewrites it
    except AssertionError as error:
        raised = pytest.ExceptionInfo.from_current()
        told = SimpleNamespace(value=error, traceback=[SimpleNamespace(statement="assert 1 == 2")])
        story = fault_report_of(raised.value, told, a_core_that(None), ())
    assert story.line == "core-01: wrote core-9.9; assert 1 == 2"


def a_test_over_its_time_is_told_in_its_own_words(_folder):
    core = a_core_that(None)
    try:
        raise TookTooLong(5.0, "in the test (sleep_test.py:10)")
    except TookTooLong:
        story = _told(core)
    said = "took longer than 5 s: it waited in the test (sleep_test.py:10)"
    assert story.line == f"core-01: {said} (after: wrote core-9.9)"
    assert (story.expected, story.seen) == ("an end within 5 s", said)


def words_for_a_console_may_be_text(_folder):
    for case, must in {"bytes": b"never", "text": "never"}.items():
        board = board_that_says()
        error = fault_of(lambda board=board, must=must: board.must.say(must, 0.01))
        assert "never said 'never' within 0 s" in str(error), case
    assert raises(Misuse, lambda: board_that_says().must.say("(", 0.01))
