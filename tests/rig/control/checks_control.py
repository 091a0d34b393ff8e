"""What holds at every control port: who may ask, what is listened to, and which files a request may name."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from rig.control.address import TcpAddress
from rig.control.control_socket import ControlSocket
from rig.control.token import ControlToken, token_for
from rig.errors import LabFault, Misuse
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.limits import CLOUD_CONTROL
from rig.servers.allowed_files import AllowedFiles
from rig.servers.control_port import ControlPort, Request
from rig.twin.control import ControlServer
from rig.twin.listening_port import Client, ListeningPort
from rig.twin.relay import Relay, RelayServers
from tests.rig.control.control_ports import ask, dial, door_in
from tests.rig.foreign_server import stranger
from tests.rig.loop_thread import LoopThread
from tests.rig.waiting import HANGS, until

#: Lines that are no request, and after which nobody is listened to.
NO_OBJECT = [b"hello", b"", b"[]", b"5", b'"do"', b"null", b"\xff\xfe", b"[" * 5000, b'{"do": "act"', b"\x16\x03\x01"]
NO_TOKEN: list[dict[str, Any]] = [{}, {"token": ""}, {"token": "0" * 40}, {"token": None}, {"token": ["x"]}]
#: What a browser sends for a page of elsewhere, whatever it calls this machine, and where it does not say so itself.
OF_PAGES: list[dict[str, str]] = [
    {"Origin": "http://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},
    {"Host": "evil.test", "Origin": "http://evil.test"},
    {"Host": "evil.test"},
    {"Host": "localhost.evil.test"},
    {"Sec-Fetch-Site": "cross-site"},
]


class Acting:
    """A control port of each kind that does one thing, `act`, and counts it."""

    def __init__(self) -> None:
        self.done = 0
        self.kinds = [ControlServer({"act": self._act}), ControlPort({"act": (Request, self._acts)})]

    def _act(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.done += 1
        return {"acted": True}

    async def _acts(self, _request: Request) -> Any:
        yield {"done": True, **self._act({})}


@contextmanager
def ports(folder: Path, *, tcp: bool = False) -> Iterator[list[tuple[Acting, dict[str, Any]]]]:
    """A control port of each kind at a door of its own, with what its ready line would tell."""
    loop, acting = LoopThread(), Acting()
    opened = []
    for number, port in enumerate(acting.kinds):
        own = folder / str(number)
        own.mkdir()
        control_socket = ControlSocket(TcpAddress("127.0.0.1", 0), own / "token") if tcp else door_in(own)
        opened.append((acting, loop.run(port.start(control_socket))))
    try:
        yield opened
    finally:
        loop.call(acting.kinds[0].close)
        loop.run(acting.kinds[1].close())
        loop.close()


def said_to(ready_line: dict[str, Any], data: bytes, *, to_the_end: bool = True) -> bytes:
    """All that is said to some bytes, with nothing behind them or for as long as the server listens."""
    with dial(ready_line) as sock, sock.makefile("rb") as heard:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            if to_the_end:
                sock.shutdown(socket.SHUT_WR)
        return heard.read()


def a_web_page_does_nothing_at_a_control_port(folder: Path) -> None:
    """Not with the right token in the body, and not at a socket either: whoever speaks HTTP is hung up on."""
    for tcp in (True, False):
        (folder / str(tcp)).mkdir()
        with ports(folder / str(tcp), tcp=tcp) as opened:
            for acting, ready_line in opened:
                token = Path(ready_line["token_file"]).read_text().strip() if tcp else ""
                body = json.dumps({"do": "act", "token": token})
                for head in (
                    "POST / HTTP/1.1",
                    "OPTIONS /x HTTP/1.0",
                    "get /{} HTTP/1.1",
                    f"POST /{'a' * 9000} HTTP/1.1",
                ):
                    page = f"{head}\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n{body}\n"
                    assert said_to(ready_line, page.encode()) == b""
                assert acting.done == 0


def what_is_no_object_ends_the_connection(folder: Path) -> None:
    """Nothing that comes behind it is done, and it is told once what was expected."""
    with ports(folder) as opened:
        for acting, ready_line in opened:
            for line in NO_OBJECT:
                answers = said_to(ready_line, line + b'\n{"do": "act"}\n').splitlines()
                assert ["expected a JSON object" in str(json.loads(each)) for each in answers] == [True]
            assert acting.done == 0


def without_the_token_nothing_is_done(folder: Path) -> None:
    """At TCP: one line that says why, and the connection is over."""
    with ports(folder, tcp=True) as opened:
        for acting, ready_line in opened:
            for shown in NO_TOKEN:
                line = json.dumps({"do": "act", **shown}).encode() + b"\n"
                answers = said_to(ready_line, line * 2).splitlines()
                assert ["the token is" in str(json.loads(each)) for each in answers] == [True]
            assert acting.done == 0
            assert ask(ready_line, do="act")["acted"]
            acting.done = 0


def sockets_and_tokens_are_their_owners_alone(folder: Path) -> None:
    """Whatever the umask of who starts the server."""
    former = os.umask(0)
    try:
        for tcp in (False, True):
            (folder / str(tcp)).mkdir()
            with ports(folder / str(tcp), tcp=tcp) as opened:
                files = [
                    ready_line["token_file"] if tcp else ready_line["address"].removeprefix("unix:")
                    for _, ready_line in opened
                ]
                assert {stat.S_IMODE(os.stat(file).st_mode) for file in files} == {0o600}
                assert not any(Path(file).read_text().strip() in str(opened) for file in files if tcp)
    finally:
        os.umask(former)


def servers_of_one_port_have_tokens_of_their_own(_folder: Path) -> None:
    """One port of two addresses is two servers, and the end of one is not the other's."""
    first = ControlToken(TcpAddress("127.0.0.1", 9))
    second = ControlToken(TcpAddress("127.0.0.2", 9))
    assert first.matches(token_for(TcpAddress("localhost", 9)))
    assert second.matches(token_for(TcpAddress("127.0.0.2", 9)))
    second.close()
    assert first.matches(token_for(TcpAddress("127.0.0.1", 9)))
    first.close()


def a_fault_of_the_disk_is_told(folder: Path) -> None:
    """At the control port of a twin as of a server: one line, and the connection stays."""

    def full(_request: dict[str, Any]) -> dict[str, Any]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def full_too(_request: Request) -> Any:
        full({})
        yield {}

    for port in ControlServer({"act": full}), ControlPort({"act": (Request, full_too)}):
        loop, own = LoopThread(), folder / type(port).__name__
        own.mkdir()
        ready_line = loop.run(port.start(door_in(own)))
        answers = said_to(ready_line, b'{"do": "act"}\n' * 2).splitlines()
        assert ["No space left" in str(json.loads(each)) for each in answers] == [True, True]
        loop.close()


def an_answer_that_is_too_long_is_told(folder: Path) -> None:
    """Where there is no room for it among what others have not read yet: one line, and no hanging up."""

    async def long(_request: Request) -> Any:
        yield {"done": True, "said": "a" * 200_000}

    loop = LoopThread()
    port = ControlPort({"act": (Request, long)}, limits=replace(CLOUD_CONTROL, in_all=100_000))
    ready_line = loop.run(port.start(door_in(folder)))
    answers = said_to(ready_line, b'{"do": "act"}\n').splitlines()
    loop.run(port.close())
    loop.close()
    assert ["ask for less" in str(json.loads(each)) for each in answers] == [True]


def only_plain_files_of_given_folders_are_read(folder: Path) -> None:
    """No device, pipe, link to outside, second name, kernel's file, or more bytes than are wanted."""
    inside, outside = folder / "inside", folder / "outside"
    for one in (inside, outside):
        one.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (inside / "link").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    (inside / "zero").symlink_to("/dev/zero")
    os.link(outside / "secret", inside / "second")
    os.mkfifo(inside / "pipe")
    (inside / "large").write_bytes(b"x" * 101)
    (inside / "plain").write_bytes(b"plain")
    (inside / "alias").symlink_to("plain")
    given = AllowedFiles([inside, Path("/proc/self")])
    refused = ["link", "folder/secret", "zero", "second", "pipe", "large", "../outside/secret", "", "nothing", "a\0b"]
    names = [*(f"{inside}/{name}" for name in refused), "/dev/zero", "/proc/self/environ", "~", "plain"]
    for name in names:
        assert _reads(given, name) is None, name
    assert [_reads(given, f"{inside}/{name}") for name in ("plain", "alias")] == [b"plain"] * 2
    assert _reads(AllowedFiles(), f"{inside}/plain") is None


def _reads(given: AllowedFiles, name: str) -> bytes | None:
    try:
        return given.read(name, 100)
    except Misuse:
        return None


def no_web_page_types_at_a_serial_port(_folder: Path) -> None:
    """Nothing of its request reaches the board, over HTTP or TLS; what a person types does."""
    over_http = b"POST /%s HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nw\n" % (b"a" * 3000)
    over_tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"w\r\n" * 100
    loop, typed = LoopThread(), []
    port = ListeningPort(lambda own: Client(own, typed.append))
    try:
        there = ("127.0.0.1", loop.call(port.hold, "127.0.0.1", 0))
        loop.call(port.show, True)
        loop.run(port.settled())
        for words in over_http, over_tls:
            with socket.create_connection(there, timeout=HANGS) as page:
                with contextlib.suppress(OSError):  # the port may have hung up by now
                    page.sendall(words)
                    page.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    assert page.recv(100) == b""
            assert typed == []
        with socket.create_connection(there, timeout=10) as person:
            person.sendall(b"GET a life\n")
            until(lambda: typed, "what a person types")
    finally:
        loop.call(port.close)
        loop.close()


def no_web_page_switches_a_relay(_folder: Path) -> None:
    """By its Origin, by its Host, or by what its browser says; the relay's own drivers do, by address and by name."""
    loop = LoopThread()
    relay = Relay([])
    servers = RelayServers(relay, names=["relay.lab"])
    try:
        port = loop.run(servers.start("127.0.0.1", 0, 0))["http"]["port"]
        call = json.dumps({"id": 1, "method": "Switch.GetStatus", "params": {"id": 0}})
        for headers in OF_PAGES:
            answer = requests.post(f"http://127.0.0.1:{port}/rpc", data=call, headers=headers, timeout=10)
            assert answer.status_code == 403, headers
        for headers in ({}, {"Host": f"relay.lab:{port}"}, {"Host": "localhost"}, {"Sec-Fetch-Site": "none"}):
            answer = requests.post(f"http://127.0.0.1:{port}/rpc", data=call, headers=headers, timeout=10)
            assert "not found" in answer.text, headers
    finally:
        loop.run(servers.close())
        loop.close()


def strangers_have_no_room_for_long_lines(tmp_path):
    """Whoever shows no token is told so long before a line is whole, and friends have all the room there is."""
    loop, way_in = LoopThread(), ControlSocket(TcpAddress("127.0.0.1", 0), tmp_path / "token")
    server = ControlServer({"act": lambda _request: {"acted": True}})
    ready_line = loop.run(server.start(way_in))
    try:
        token = token_for(way_in.address, tmp_path / "token")
        for shown in ({}, {"token": "0" * 40}, {"do": "act", "token": token}):
            assert b"a long request begins with the token" in _half_a_line(ready_line, shown)
        assert ask(ready_line, do="act", padding="x" * 60_000) == {"acted": True}
    finally:
        loop.call(server.close)
        loop.close()


def _half_a_line(ready_line, shown) -> bytes:
    """What is answered to a long line before its end; nothing when it is waited for."""
    with dial(ready_line) as sock:
        sock.settimeout(3.0)
        sock.sendall(json.dumps({**shown, "padding": "x" * 20_000})[:-1].encode())
        with contextlib.suppress(TimeoutError):
            return sock.recv(200)
    return b""


def what_a_stranger_answers_is_not_believed(folder):
    with stranger(folder, b'{"done": true, "cores": null}') as address:
        try:
            believed = SparkCloudClient.at(address).ask("list")
        except LabFault:
            return
        assert not believed, "who reads it breaks, as if the rig were at fault"
