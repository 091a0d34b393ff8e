"""Addresses people write, ports of servers, and how many files one may have open."""

from __future__ import annotations

import errno
import ipaddress
import random
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from rig.errors import LabFault, Misuse

#: Below the ports the kernel lends to outgoing connections: one of those could be lent to somebody between our look
#: and the server's bind.
SERVER_PORTS = (20_500, 32_000)
#: Servers of one process: of boards, of people, of commands, and what else it has open.
SERVERS = 4
#: Of its own, as tests seed the common one: two processes would look at the same ports in the same order.
_random = random.SystemRandom()
_ADDRESS = re.compile(r"(?:\[([^\[\]\s]+)\]|([^\[\]\s]+)):([0-9]{1,5})")
#: What to try where a port cannot be listened on.
HINTS = {
    errno.EADDRINUSE: "somebody listens there: port 0 takes a free one",
    errno.EACCES: "ports below 1024 are the administrator's: port 0 takes a free one",
}


def read_address(text: str, what: str, example: str, *, lowest: int = 1) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, or of `[HOST]:PORT` where the host has colons; `what` is how people know it.

    Raises Misuse.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or not is_port(found[3], lowest=lowest):
        raise Misuse(f"{what} {text} is not HOST:PORT", hint=f"for example {example}")
    host = found[1] or found[2]
    if not is_host(host):
        raise Misuse(f"{what} {text}: {host} can be no host", hint=f"for example {example}")
    return host, int(found[3])


def checked_url(text: str) -> str:
    """A URL of HTTP whose host and port can be ones. Raises ValueError, for models of documents."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not is_host(parts.hostname or ""):
        raise ValueError(f"{text!r} is no URL, such as https://ota.example.com/app.bin")
    if parts.port == 0:  # others that are none raise ValueError themselves
        raise ValueError(f"{text!r} has no port")
    return text


def is_host(text: str) -> bool:
    """Whether a text could be asked for as a host: an address, or what the name service takes for a name."""
    try:
        return bool(text.encode("idna"))
    except UnicodeError:
        return False


def is_port(text: str, *, lowest: int = 1) -> bool:
    """Whether a text is the number of a port."""
    return re.fullmatch("[0-9]{1,5}", text) is not None and lowest <= int(text) < 65536


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def format_address(host: str, port: int) -> str:
    """An address as `read_address` reads it: `HOST:PORT`, or `[HOST]:PORT` where the host has colons."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(address: str) -> str:
    """The host of an address that `format_address` wrote; empty where there is none in it."""
    found = _ADDRESS.fullmatch(address)
    return (found[1] or found[2]) if found is not None else ""


def family_of(host: str) -> socket.AddressFamily:
    """How a socket that listens at `host` is addressed."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def taking(host: str, port: int) -> Iterator[None]:
    """While a server takes a port to listen on. Raises LabFault where it cannot have it, Misuse for what is no host."""
    if not is_host(host):
        raise Misuse(f"cannot listen on {host}: that can be no host", hint="for example 127.0.0.1")
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = HINTS.get(error.errno or 0, "is it an address of this machine?")
        raise LabFault(f"cannot listen on {format_address(host, port)}: {reason}", hint=hint) from error


def free_port(host: str) -> int:
    """A TCP port of `host` nobody listens on now. Raises LabFault where nobody can, Misuse for what is no host."""
    while True:
        port = _random.randrange(*SERVER_PORTS)
        if is_free(host, port):
            return port


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on a TCP port of `host` now. Raises LabFault where nobody can."""
    with taking(host, port):
        try:
            socket.create_server((host, port), family=family_of(host)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def make_room(connections: int) -> int:
    """Let this process have files open for so many connections; returns for how many there is room.

    A server is one of a few of its process, and none may take what the others need: each has a quarter.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, SERVERS * connections)
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(connections, max(soft // SERVERS, 1))
