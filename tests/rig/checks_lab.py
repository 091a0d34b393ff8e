"""Named checks of test_mutants: boards that are brought back, holders that are dead, faults that are not a board's."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

from checks import Ticking
from checks_esp_rack import board_that_says
from esp_models import served_board
from test_twin_clock import comes_by_itself

from rig import plugin
from rig.boards import board as any_board
from rig.boards.spark_core import SparkCore
from rig.clock import Clock, look_for
from rig.drivers.console import ConsoleRecorder
from rig.drivers.console_link import HANGS_SECONDS
from rig.drivers.usb_port import DFU
from rig.errors import DeviceFault, LabFault, Unreachable
from rig.lab import acquisition, health, hold, reaping
from rig.lab.holder import RUN_VARIABLE, Holder, Life, holder_of

ME = Holder.this_process()
#: A process that had our number before us.
DEAD = replace(ME, started="1")


def raises(kind, act):
    try:
        act()
    except kind:
        return True
    return False


def a_core_comes_back_from_dfu_without_being_looked_at(folder):
    assert comes_by_itself("core_leaves_dfu", 0, folder)


# -- power and buttons -------------------------------------------------------------------------------------------------


class Line:
    """A contact of a relay board."""

    def __init__(self, name, closed, log):
        self.name, self.closed, self._log = name, closed, log

    def set(self, closed):
        self.closed = closed
        self._log.append((self.name, closed))

    def get(self):
        return self.closed

    def on(self):
        self.set(True)

    def off(self):
        self.set(False)


def core_as_left(*, powered=False, pressed=("mode", "reset")):
    """A Core as somebody left it, and what is done to it from now on."""
    log = []
    mode, reset = (Line(name, name in pressed, log) for name in ("mode", "reset"))
    relay = Line("power", powered, log)
    usb = SimpleNamespace(identity=lambda: DFU if relay.closed else None)
    clock = SimpleNamespace(now=lambda: 0.0, sleep=lambda _seconds: None)
    return SparkCore("core-01", relay=relay, mode=mode, reset=reset, usb=usb, clock=clock), log


#: Whatever gives a board its supply, and the buttons it means to hold meanwhile.
FEEDS = {
    "power_on": (lambda core: core.power_on(), ()),
    "start": (lambda core: core.start(), ()),
    "restart": (any_board.restart, ()),
    "the reader": (lambda core: core.enter_reader(), ("mode",)),
    "a factory reset": (lambda core: core.factory_reset(), ("mode",)),
}


def no_board_gets_its_supply_with_a_button_pressed_that_nobody_holds(_folder):
    for name, (feed, meant) in FEEDS.items():
        core, log = core_as_left()
        feed(core)
        pressed = {"mode", "reset"}
        for line, closed in log[: log.index(("power", True))]:
            (pressed.add if closed else pressed.discard)(line)
        assert pressed == set(meant), name


def a_board_that_stands_with_a_button_pressed_goes_off_before_it_is_let_go_of(_folder):
    core, log = core_as_left(powered=True, pressed=("mode",))
    any_board.let_go(core)
    assert log == [("power", False), ("mode", False), ("reset", False)]


# -- holders -----------------------------------------------------------------------------------------------------------

LIVES = {
    "this process": (ME, Life.ALIVE),
    "one that had our number before us": (DEAD, Life.DEAD),
    "one from before the machine was started": (replace(ME, boot="another"), Life.DEAD),
    "one whose number nobody has": (replace(ME, pid="4194305"), Life.DEAD),
    "one of another host": (replace(ME, host="another"), Life.ELSEWHERE),
    "one of another container": (replace(ME, pids="1"), Life.ELSEWHERE),
}


def a_process_is_known_by_more_than_its_number(_folder):
    for case, (holder, life) in LIVES.items():
        assert Holder.read(holder.mark) == holder
        assert holder.life is life, case


class Coordinator:
    """Places in memory; those of another's are `acquired` by somebody, with whatever `allowed` says."""

    identity = "host/me"

    def __init__(self, address, **places):
        self.address = f"{address}:1"
        self._places = {name.replace("_", "-"): SimpleNamespace(**BLANK, **how) for name, how in places.items()}
        for name, place in self._places.items():
            place.name = name
        self.gone = set()

    def client(self, place, words):
        return f"`labgrid-client -p {place} {words}`"

    def places(self):
        return self._places

    def lacks(self, name):
        return "gone/*" if name in self.gone else None

    def exporters_of(self, name):
        return {name}

    def acquire(self, name):
        if self._places[name].acquired:
            raise LabFault("is acquired")
        self._places[name].acquired = self.identity

    def allow(self, name, user):
        self._places[name].allowed = [user]

    def release(self, name, holder=None):
        if self._places[name].acquired == (holder or self.identity):
            self._places[name].acquired, self._places[name].allowed = None, []

    def tag(self, name, **tags):
        self._places[name].tags = {**self._places[name].tags, **tags}

    def cancel_reservation(self, _token):
        """Nothing is reserved."""


BLANK = {"tags": {"board": "spark-core", "health": "ok"}, "reservation": None, "comment": "", "changed": 0.0}
FREE = {"acquired": None, "allowed": []}
LEFT = {"acquired": "host/me", "allowed": [DEAD.mark]}
BY_HAND = {"acquired": "host/me", "allowed": []}


class Boards(acquisition.Boards):
    """Boards in memory at a coordinator in memory; `broken` are those whose relay does not answer."""

    def __init__(self, coordinator, **how):
        super().__init__("nowhere:1", "none", patience=0, **how)
        self._coordinator = coordinator
        self._hold = hold.Hold(coordinator, "none")
        self._hold.build = self._build
        self.cores, self.logs = {}, {}
        self.broken = set()
        for name in coordinator.places():
            self.cores[name], self.logs[name] = core_as_left()

    def _build(self, name):
        core = self.cores[name]
        if name in self.broken:
            core.relay.get = core.relay.off = core.relay.on = lambda: (_ for _ in ()).throw(Unreachable("no answer"))
        self._hold._boards[name] = (core, SimpleNamespace(cleanup=lambda: None))
        return core


def two_places(folder, **second):
    return Coordinator(folder, core_01=dict(FREE), core_02=second or dict(FREE))


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
    notes = hold.Notes(hold.ACQUIRING, "")._folder
    for note in notes.glob(f"core-02.{os.getpid()}"):
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


# -- whose fault -------------------------------------------------------------------------------------------------------

FAULTS = {
    "a relay that hangs": (Unreachable("no answer"), None, False),
    "USB that was gone for a while": (LabFault("no such device"), None, False),
    "USB that is gone, and its server with it": (LabFault("no such device"), Unreachable("no answer"), False),
    "a supply that does not go": (LabFault("still powered"), LabFault("still powered"), True),
    "a board that does not enter its reader": (LabFault("timed out"), DeviceFault("silence"), True),
    "a board that does not run": (DeviceFault("does not run"), None, True),
}


def a_fault_of_the_lab_that_is_over_is_not_its_boards(_folder):
    for case, (fault, again, suspect) in FAULTS.items():

        def enter_reader(again=again):
            if again is not None:
                raise again

        assert health.is_suspect(SimpleNamespace(enter_reader=enter_reader), fault) is suspect, case


def a_server_that_hangs_is_seen_to(_folder):
    with served_board(flash=None) as served:
        recorder = ConsoleRecorder("127.0.0.1", served.rfc2217, protocol="rfc2217")
        recorder.start()
        began = time.monotonic_ns()
        assert recorder.answers(10)
        served.loop.loop.call_soon_threadsafe(time.sleep, 2 * HANGS_SECONDS)
        seen = look_for(lambda: recorder.hung_since(began), seconds=2 * HANGS_SECONDS, clock=Clock())
        recorder.stop()
    assert seen


def a_failure_while_nothing_could_be_heard_is_the_labs(_folder):
    board = board_that_says()
    item = SimpleNamespace(funcargs={"board": board}, get_closest_marker=lambda _name: True)
    call = SimpleNamespace(duration=1.0)
    assert plugin._whose_fault(plugin._in_doubt(item, call, AssertionError("old"))) == "device fault"
    board.console._hung_ns = time.monotonic_ns()
    assert plugin._whose_fault(plugin._in_doubt(item, call, AssertionError("old"))) == "lab fault"


def silence_at_a_port_that_hangs_is_not_the_boards(_folder):
    for look in (lambda board: board.observe(1), lambda board: board.is_alive(1), lambda board: board.power_off()):
        board = board_that_says()
        assert not raises(Unreachable, lambda board=board, look=look: look(board))
        board.console.answers = lambda _seconds: False
        assert raises(Unreachable, lambda board=board, look=look: look(board))


# -- boards of the own run ---------------------------------------------------------------------------------------------

OURS = replace(ME, pid="1", run="this run")


def waits(folder, holder, *, until):
    """What comes of waiting for a place that `holder` has, which is free after `until` seconds; patience is 60 s."""
    coordinator = Coordinator(folder, core_01={"acquired": "host/them", "allowed": [holder.mark]})
    boards, clock = Boards(coordinator), Ticking()
    boards._patience = 60.0
    with (
        mock.patch.dict(os.environ, {RUN_VARIABLE: "this run"}),
        mock.patch.object(Holder, "life", Life.ALIVE),
        mock.patch.object(acquisition, "Clock", return_value=clock),
    ):
        return boards._wait(coordinator.places(), lambda: ["core-01"] if clock.at > until else None)


def a_board_of_the_own_run_is_waited_for_beyond_all_patience(folder):
    try:
        came = waits(folder, OURS, until=1000.0)
    except LabFault:
        came = None
    assert came == ["core-01"], "a worker of the same run has it, and its test is a fault of the lab"


def a_board_of_another_run_is_not(folder):
    for holder in (replace(OURS, run="another"), replace(OURS, run="")):
        assert raises(LabFault, lambda holder=holder: waits(folder, holder, until=1000.0)), "nobody's patience ends"
