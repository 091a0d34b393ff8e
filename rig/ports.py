"""Addresses people write, and ports for servers that cannot choose one themselves."""

from __future__ import annotations

import random
import socket

from rig.errors import Misuse

#: Below the ports the kernel lends to outgoing connections: one of those could be lent to somebody between our look
#: and the server's bind.
SERVER_PORTS = (20_500, 32_000)


def read_address(text: str, what: str, example: str, *, lowest: int = 1) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; `what` is how people know it. Raises Misuse."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not lowest <= int(port) < 65536:
        raise Misuse(f"{what} {text} is not HOST:PORT", hint=f"for example {example}")
    return host, int(port)


def free_port(host: str) -> int:
    """A TCP port of `host` nobody listens on now."""
    while True:
        port = random.randrange(*SERVER_PORTS)
        if is_free(host, port):
            return port


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on a TCP port of `host` now."""
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return False
    return True
