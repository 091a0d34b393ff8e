"""Where control ports are, who gets in, and how clients find what they are to show."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.control import address as address_module
from rig.control.address import LONGEST_PATH, TcpAddress, UnixAddress, read_control_address, runtime_folder, socket_in
from rig.control.control_socket import ControlSocket
from rig.control.socket_options import control_socket_of_twin
from rig.control.token import ControlToken, token_for
from rig.errors import LabFault, Misuse
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.twin.control import ControlServer
from rig.twin.relay import Wire
from tests.rig.control import checks_control
from tests.rig.control.checks_control import NO_OBJECT, ports, said_to
from tests.rig.control.control_ports import ask, dial
from tests.rig.families.spark_core.twin.models import served_core
from tests.rig.loop_thread import LoopThread
from tests.rig.twin.served_relay import becomes, contact, relay_servers


@pytest.fixture(autouse=True)
def own_runtime(tmp_path, monkeypatch):
    """Sockets and tokens of this test, and of no other."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


@pytest.fixture
def loop():
    thread = LoopThread()
    yield thread
    thread.close()


def opened(loop, control_socket):
    """A control port that answers `act` at a door."""
    server = ControlServer({"act": lambda _request: {"done": True, "acted": True}})
    return server, loop.run(server.start(control_socket))


# -- addresses ---------------------------------------------------------------------------------------------------------

ADDRESSES = {
    "unix:/run/rig/a.sock": UnixAddress(Path("/run/rig/a.sock")),
    "127.0.0.1:5684": TcpAddress("127.0.0.1", 5684),
    "[::1]:5684": TcpAddress("::1", 5684),
}


@pytest.mark.parametrize(
    ("told", "where"), [("4000", TcpAddress("127.0.0.1", 4000)), ("0", TcpAddress("127.0.0.1", 0))]
)
def test_a_twins_control_port_may_be_a_number_alone(told, where, tmp_path):
    assert control_socket_of_twin(tmp_path, told, None).address == where


def test_a_twins_control_port_is_a_socket_in_its_folder_where_nothing_is_told(tmp_path):
    assert control_socket_of_twin(tmp_path, None, None).address == UnixAddress(tmp_path / "control.sock")


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read_as_it_is_told(text):
    assert read_control_address(text, "it", "") == ADDRESSES[text]
    assert str(ADDRESSES[text]) == text


@pytest.mark.parametrize("text", ["", "unix:", "unix:/", "here", "127.0.0.1", "1.2.3.4:70000", "unix:/" + "a" * 200])
def test_what_is_no_address_is_refused_in_one_line(text):
    with pytest.raises(Misuse) as caught:
        read_control_address(text, "--control", "127.0.0.1:5684")
    assert "\n" not in str(caught.value)


def test_a_folder_with_a_long_name_has_its_socket_elsewhere_and_always_the_same(tmp_path, loop):
    deep = tmp_path / ("d" * LONGEST_PATH)
    deep.mkdir()
    where = socket_in(deep, "control")
    assert where.path.parent == runtime_folder()
    assert where == socket_in(deep, "control") != socket_in(tmp_path / "other" / ("d" * LONGEST_PATH), "control")
    server, ready_line = opened(loop, ControlSocket(where))
    assert ask(ready_line, do="act")["acted"]
    loop.call(server.close)


def test_a_runtime_folder_that_others_can_use_is_not_used(tmp_path):
    runtime_folder().mkdir(mode=0o755)
    with pytest.raises(Misuse, match="others can use the folder"):
        socket_in(tmp_path / ("d" * LONGEST_PATH), "control")


def test_a_socket_of_another_user_is_not_spoken_with(tmp_path, loop, monkeypatch):
    server, ready_line = opened(loop, ControlSocket(socket_in(tmp_path, "control")))
    monkeypatch.setattr(address_module, "_peer_of", lambda _sock: 12345)
    monkeypatch.setattr(address_module.os, "getuid", lambda: 1000)
    with pytest.raises(LabFault, match="another user listens there"):
        SparkCloudClient.at(ready_line["address"]).ask("list")
    loop.call(server.close)


# -- sockets -----------------------------------------------------------------------------------------------------------


def test_the_socket_of_a_killed_server_is_taken_over_and_that_of_a_living_one_is_not(tmp_path, loop):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    server, ready_line = opened(loop, ControlSocket(UnixAddress(path)))
    with pytest.raises(LabFault, match="somebody listens there"):
        opened(loop, ControlSocket(UnixAddress(path)))
    assert ask(ready_line, do="act")["acted"]
    loop.call(server.close)
    assert not path.exists()


def test_a_server_whose_queue_is_full_listens(tmp_path, loop):
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as waiting:
        busy.bind(str(tmp_path / "control.sock"))
        busy.listen(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(10):
                peer = waiting.enter_context(socket.socket(socket.AF_UNIX))
                peer.setblocking(False)
                peer.connect(str(tmp_path / "control.sock"))
        with pytest.raises(LabFault, match="somebody listens there"):
            opened(loop, ControlSocket(UnixAddress(tmp_path / "control.sock")))


def test_no_other_file_is_replaced_by_a_socket(tmp_path, loop):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(LabFault, match="another file is there"):
        opened(loop, ControlSocket(UnixAddress(tmp_path / "notes")))
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_socket_in_no_folder_is_refused_in_one_line(tmp_path, loop):
    with pytest.raises(LabFault, match=r"cannot listen on unix:.*: No such file") as caught:
        opened(loop, ControlSocket(UnixAddress(tmp_path / "none" / "control.sock")))
    assert "\n" not in str(caught.value)


# -- who gets in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r", *NO_OBJECT[:4]])
def test_the_server_hangs_up_by_itself(tmp_path, line):
    with ports(tmp_path) as each:
        for _, ready_line in each:
            assert len(said_to(ready_line, line + b"\n", to_the_end=False).splitlines()) == (b"HTTP" not in line)


def test_a_client_finds_the_token_of_its_own_users_server(tmp_path, loop):
    server, ready_line = opened(loop, ControlSocket(TcpAddress("127.0.0.1", 0)))
    assert stat.S_IMODE(os.stat(ready_line["token_file"]).st_mode) == 0o600
    assert token_for(TcpAddress("127.0.0.1", ready_line["port"])) == Path(ready_line["token_file"]).read_text().strip()
    assert token_for(TcpAddress("192.0.2.7", ready_line["port"])) is None, "it is shown to no other machine"
    assert ask(ready_line, do="act")["acted"]
    loop.call(server.close)
    assert not Path(ready_line["token_file"]).exists()


def test_a_token_in_a_named_file_is_made_once_and_kept(tmp_path, loop, monkeypatch):
    tokens = []
    for _ in range(2):
        server, ready_line = opened(loop, ControlSocket(TcpAddress("127.0.0.1", 0), tmp_path / "token"))
        assert ready_line["token_file"] == str(tmp_path / "token")
        tokens.append((tmp_path / "token").read_text())
        loop.call(server.close)
    assert tokens[0] == tokens[1]
    monkeypatch.setenv("RIG_TOKEN_FILE", str(tmp_path / "token"))
    assert token_for(TcpAddress("192.0.2.7", 5684)) == tokens[0].strip()


TOKEN_FILES = {
    "others can read it": ("a" * 40, 0o644, "others can use"),
    "it is empty": ("", 0o600, "holds no token"),
    "it is short": ("abc", 0o600, "holds no token"),
    "it is noise": ("ä" * 40, 0o600, "holds no token"),
    "it is a device": (None, 0, "it is no file"),
}


@pytest.mark.parametrize("case", TOKEN_FILES)
def test_a_token_file_that_is_none_is_not_served_with(tmp_path, case):
    text, mode, reason = TOKEN_FILES[case]
    path = tmp_path / "token" if text is not None else Path("/dev/zero")
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(Misuse, match=reason):
        ControlToken(TcpAddress("127.0.0.1", 1), path)


def test_a_socket_wants_no_token():
    with pytest.raises(Misuse, match="is for a control port on TCP"):
        ControlSocket(UnixAddress(Path("/x")), Path("token"))


def test_drivers_reach_what_a_labgrid_service_names(tmp_path, loop):
    services = []
    for address in (socket_in(tmp_path, "control"), TcpAddress("127.0.0.1", 0)):
        _server, ready_line = opened(
            loop, ControlSocket(address, tmp_path / "token" if isinstance(address, TcpAddress) else None)
        )
        services.append(
            SimpleNamespace(address=ready_line.get("host", ready_line["address"]), port=ready_line.get("port", 0))
        )
    for service in services:
        assert SparkCloudClient.of(service, str(tmp_path / "token")).ask("act")["acted"]


def test_a_relay_switches_a_board_on_tcp_with_its_token(tmp_path):
    control_socket = ControlSocket(TcpAddress("127.0.0.1", 0))
    with (
        served_core(tmp_path / "a", control_socket=control_socket) as board,
        relay_servers([Wire("power", control_socket.address)]) as (_, modbus, _http),
    ):
        contact(modbus).switch(False)
        assert becomes(board, power=False)


def test_who_is_in_the_middle_of_a_line_keeps_nobody_waiting(tmp_path, loop):
    server, ready_line = opened(loop, ControlSocket(socket_in(tmp_path, "control")))
    with dial(ready_line) as silent:
        silent.sendall(b'{"do": ')
        assert ask(ready_line, do="act")["acted"]
        silent.sendall(b'"act"}\n')
        assert json.loads(silent.makefile("rb").readline())["acted"]
    loop.call(server.close)


def test_strangers_have_no_room_for_long_lines(tmp_path):
    checks_control.strangers_have_no_room_for_long_lines(tmp_path)
