"""How tests reach control ports: by what a ready line tells of one, at a door in a folder of the test's."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rig.control.address import TcpAddress, read_control_address, socket_in
from rig.control.control_socket import ControlSocket
from rig.control.token import token_for

SECONDS = 10.0


def door_in(folder: Path) -> ControlSocket:
    """A door for a server in this process."""
    return ControlSocket(socket_in(folder, "control"))


def dial(ready_line: Mapping[str, Any]) -> socket.socket:
    """A connection to a control port."""
    return read_control_address(ready_line["address"], "the ready line", "").dial(SECONDS)


def ask(ready_line: Mapping[str, Any], **request: Any) -> dict[str, Any]:
    """One question and its answer, in a connection of its own; nothing where that is hung up on."""
    address = read_control_address(ready_line["address"], "the ready line", "")
    if isinstance(address, TcpAddress):
        request = {"token": token_for(address, Path(ready_line["token_file"])), **request}
    with dial(ready_line) as sock:
        sock.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(sock.makefile("rb").readline() or b"{}")
