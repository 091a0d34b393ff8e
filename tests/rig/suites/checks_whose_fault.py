"""Named checks of test_mutants: faults that are not a board's, and silence that is not either."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from rig.clock import Clock, poll
from rig.drivers.console import ConsoleRecorder
from rig.drivers.console_link import HANGS_SECONDS
from rig.errors import DeviceFault, LabFault, Unreachable
from rig.lab import health
from rig.suites import bugs, faults
from tests.rig.families.esp32.lab.checks_rack import board_that_says
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.lab.lab_in_memory import raises

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

        def enter_readback_mode(again=again):
            if again is not None:
                raise again

        assert health.is_suspect(SimpleNamespace(enter_readback_mode=enter_readback_mode), fault) is suspect, case


def a_server_that_hangs_is_seen_to(_folder):
    with served_board(flash=None) as served:
        recorder = ConsoleRecorder("127.0.0.1", served.rfc2217, protocol="rfc2217")
        recorder.start()
        began = time.monotonic_ns()
        assert recorder.answers(10)
        served.loop.loop.call_soon_threadsafe(time.sleep, 2 * HANGS_SECONDS)
        seen = poll(lambda: recorder.hung_since(began), seconds=2 * HANGS_SECONDS, clock=Clock())
        recorder.stop()
    assert seen


def a_failure_while_nothing_could_be_heard_is_the_labs(_folder):
    board = board_that_says()
    item = SimpleNamespace(funcargs={"board": board}, get_closest_marker=lambda _name: True)
    call = SimpleNamespace(duration=1.0)
    assert faults._whose_fault(faults._in_doubt(item, call, AssertionError("old"))) == "device fault"
    board.console._hung_ns = time.monotonic_ns()
    assert faults._whose_fault(faults._in_doubt(item, call, AssertionError("old"))) == "lab fault"


def silence_at_a_port_that_hangs_is_not_the_boards(_folder):
    for look in (lambda board: board.observe(1), lambda board: board.is_alive(1), lambda board: board.power_off()):
        board = board_that_says()
        assert not raises(Unreachable, lambda board=board, look=look: look(board))
        board.console.answers = lambda _seconds: False
        assert raises(Unreachable, lambda board=board, look=look: look(board))


def helper():
    """Stands for code of a library."""
    {}["missing"]


def over_the_air():
    """Stands for a library whose own error is one of a connection."""
    try:
        raise ConnectionError("refused")
    except ConnectionError as error:
        raise RuntimeError("no answer") from error


_NONE = "'NoneType' object has no attribute 'missing'"
_NO_FILE = "[Errno 2] No such file or directory"
#: What a test's file does, and its bug as it is told; None for what is no bug of its.
BUGS = {
    "a bug": ("None.missing", f"test_mine.py:1: AttributeError: {_NONE}"),
    "a bug that says nothing": ("raise ValueError", "test_mine.py:1: ValueError"),
    "a wrong call": ("helper(1)", "test_mine.py:1: TypeError: helper() takes 0 positional arguments but 1 was given"),
    "what a library makes of it": ("\nhelper()", "test_mine.py:2: KeyError: 'missing'"),
    "what the standard library makes of it": (
        "import json\njson.loads('{')",
        "test_mine.py:2: JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "a file that is not there": ("open('no.bin')", f"test_mine.py:1: FileNotFoundError: {_NO_FILE}: 'no.bin'"),
    "what the rig makes of it": ("poll(None, seconds=1, clock=None)", None),
    "a verdict": ("assert None", None),
    "a connection": ("raise ConnectionError", None),
    "a connection that is refused": ("import socket\nsocket.create_connection(('127.0.0.1', 9))", None),
    "a connection, in a library's own words": ("over_the_air()", None),
    "a device that is not there": ("open('/dev/ttyNone')", None),
    "a program that is not there": ("import subprocess\nsubprocess.run(['no-such-program'])", None),
    "a lab fault": ("raise Unreachable('no answer')", None),
}
_NAMES = {"helper": helper, "over_the_air": over_the_air, "poll": poll, "Unreachable": Unreachable}


def what_pytest_finds_wrong_with_a_test_is_told_as_a_bug_of_its(folder):
    item = SimpleNamespace(path=folder / "test_mine.py", location=("test_mine.py", 7, "test_it"))
    code = compile("pytest.fail('ScopeMismatch: it is gone before\\nand more')", "fixtures.py", "exec")
    for module, told in (("_pytest.fixtures", "test_mine.py:8: ScopeMismatch: it is gone before"), ("mine", None)):
        names = {"__name__": module, "pytest": pytest}
        call = pytest.CallInfo.from_call(lambda names=names: exec(code, names), "setup")
        assert bugs.bug_of_test(item, call) == told, module


def a_bug_in_a_tests_own_file_is_told_with_its_line(folder):
    item = SimpleNamespace(path=folder / "test_mine.py")
    for case, (text, told) in BUGS.items():
        code = compile(text, str(item.path), "exec")
        call = pytest.CallInfo.from_call(lambda code=code: exec(code, dict(_NAMES)), "call")
        assert bugs.bug_of_test(item, call) == told, case
