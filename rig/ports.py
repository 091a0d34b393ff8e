"""Ports for servers that cannot choose one themselves."""

from __future__ import annotations

import random
import socket

#: Below the ports the kernel lends to outgoing connections: one of those could be lent to somebody between our look
#: and the server's bind.
SERVER_PORTS = (20_500, 32_000)


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
