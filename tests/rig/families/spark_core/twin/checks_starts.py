"""Named checks of test_mutants: of two servers that start in the same moment, one has what both want."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from contextlib import ExitStack
from unittest.mock import patch

from rig.errors import Misuse
from rig.families.spark_core.servers.api import token
from rig.families.spark_core.servers.api.token import AccessToken
from tests.rig.control.control_ports import ask

#: What is changed in both processes before they start: a planted fault.
PLANTED = ""
#: A server at a control port. One that is told to wait does so between its look at the socket and what it makes of it.
SERVER = """
import asyncio, sys
from pathlib import Path
from rig import lock_file
from rig.control import address, control_socket
from rig.errors import LabFault
from rig.twin.control import ControlServer

path, waits = Path(sys.argv[1]), sys.argv[2] == "waits"
dial = address.UnixAddress.dial

def look(self, seconds):
    try:
        return dial(self, seconds)
    except ConnectionRefusedError:
        print("looked", flush=True)
        sys.stdin.readline()
        raise

if waits:
    address.UnixAddress.dial = look
%s

async def serve():
    server = ControlServer({"who": lambda _request: {"waited": waits}})
    try:
        await server.start(control_socket.ControlSocket(address.UnixAddress(path)))
        print("listens", flush=True)
    except LabFault as fault:
        print(fault, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()

asyncio.run(serve())
"""


def _left_behind(path):
    """The socket of a server that was killed."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))


def _server(started, path, how):
    command = [sys.executable, "-c", SERVER % PLANTED, str(path), how]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = started.enter_context(subprocess.Popen(command, **pipes))
    started.callback(server.stdin.close)
    return server


def of_two_servers_that_find_one_socket_left_behind_one_listens(folder):
    path = folder / "control.sock"
    _left_behind(path)
    with ExitStack() as started:
        first = _server(started, path, "waits")
        assert first.stdout.readline() == "looked\n"
        second = _server(started, path, "goes on")
        said = second.stdout.readline()
        first.stdin.write("go on\n")
        first.stdin.flush()
        assert (first.stdout.readline(), "another server starts there" in said) == ("listens\n", True)
        assert ask({"address": f"unix:{path}"}, do="who") == {"waited": True}
    assert list(folder.iterdir()) == [], "what a server needed to start stays behind"


def of_two_clouds_that_make_one_token_one_has_it(folder):
    """Both find none; the second one starts while the first makes it."""
    path, others = folder / "server.token", []
    make = token.make_token

    def meanwhile(beside):
        with patch.object(token, "make_token", make), contextlib.suppress(Misuse):
            others.append(AccessToken(path))
        return make(beside)

    with patch.object(token, "make_token", meanwhile):
        first = AccessToken(path)
    assert others == []
    assert path.read_text().strip() == first.value
    first.close()
