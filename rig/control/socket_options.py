"""Sockets of control ports as people name them: by `--control` and `--token-file`."""

from __future__ import annotations

from pathlib import Path

from rig.control.address import TcpAddress, private_folder, read_control_address, runtime_folder, socket_in
from rig.control.control_socket import ControlSocket
from rig.control.serving import warn_of_open_port
from rig.ports import is_port


def control_socket_at(text: str, token_file: Path | None = None) -> ControlSocket:
    """The socket at `unix:PATH` or `HOST:PORT`, port 0 takes a free one. Raises Misuse.

    On TCP it takes the token in `token_file`, and is warned of where others reach it. This user's folder of sockets is
    made where the path is in it.
    """
    address = read_control_address(text, "--control", "127.0.0.1:5684", lowest=0)
    control_socket = ControlSocket(address, token_file)
    if isinstance(address, TcpAddress):
        warn_of_open_port("--control", address.host, "who hears the network there can read the token")
    elif address.path.parent == runtime_folder():
        private_folder(address.path.parent)
    return control_socket


def control_socket_of_twin(state: Path, text: str | None, token_file: Path | None) -> ControlSocket:
    """The socket of a twin; one in its folder where no other was named, and a number is a port of loopback.

    Raises Misuse.
    """
    if text is None:
        text = str(socket_in(state, "control"))
    return control_socket_at(f"127.0.0.1:{text}" if is_port(text, lowest=0) else text, token_file)
