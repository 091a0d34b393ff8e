"""Named checks of test_mutants: lines of JSON at control ports, how long they may be and what they may hold."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from rig.formats.json_object import NotAnObject, read_object
from rig.limits import TWIN_CONTROL
from rig.servers.https.published_files import MIB
from rig.twin.control import ControlServer
from tests.rig.control import control_ports
from tests.rig.control.control_ports import door_in
from tests.rig.families.spark_core.twin.models import served_core
from tests.rig.loop_thread import LoopThread


@contextlib.contextmanager
def _twin_control(folder, **changes):
    """A twin's control port, as its ready line tells it."""
    loop = LoopThread()
    server = ControlServer({"list": lambda _request: {}}, replace(TWIN_CONTROL, **changes))
    try:
        yield loop.run(server.start(door_in(folder)))
    finally:
        loop.call(server.close)
        loop.close()


def long_lines_of_all_peers_have_a_bound(tmp_path):
    limits = {"message": 1 * MIB, "in_all": 1 * MIB}
    with _twin_control(tmp_path, **limits) as ready_line, contextlib.ExitStack() as stack:
        said = []
        for _ in range(3):
            sock = stack.enter_context(control_ports.dial(ready_line))
            sock.sendall(b"x" * 700_000)
            sock.settimeout(2.0)
            with contextlib.suppress(TimeoutError):
                said.append(sock.recv(200))
        assert any(b"too many long requests" in each for each in said)


def a_line_without_end_is_refused(tmp_path):
    with _twin_control(tmp_path) as ready_line, control_ports.dial(ready_line) as sock:
        sock.settimeout(3.0)
        with contextlib.suppress(OSError):
            sock.sendall(b"x" * 300_000)
        with contextlib.suppress(TimeoutError):
            assert b"longer than 65,536 bytes" in sock.recv(200)
            return
        raise AssertionError("it is listened to for ever")


def is_refused(data):
    try:
        read_object(data)
    except NotAnObject:
        return True
    return False


def a_large_structure_is_not_built(tmp_path):
    assert is_refused(b'{"a": [' + b"[]," * 100_000 + b"1]}")


def deep_json_is_refused(tmp_path):
    assert is_refused(b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}")


def what_no_number_holds_is_none(tmp_path):
    assert is_refused(b'{"a": 1e999}')


def nan_is_no_number(tmp_path):
    assert is_refused(b'{"a": NaN}')


def endless_digits_are_refused(tmp_path):
    assert is_refused(b'{"a": ' + b"9" * 500 + b"}")


def half_a_pair_is_no_text(tmp_path):
    assert is_refused(b'{"a": "\\ud800"}')


def true_is_no_address(tmp_path):
    with served_core(tmp_path / "core") as core:
        answer_to = core.process.control_port.answer
        assert "error" in core.loop.call(answer_to, {"do": "wear", "address": True})
        assert core.loop.call(answer_to, {"do": "wear", "address": 1}) == {"worn_out": {"0x1": 1}}
