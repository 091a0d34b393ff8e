"""To whom a look at an endpoint connects, and by what name: what goes wrong on the way there has a name."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket

from rig.errors import Misuse
from rig.ports import format_address
from rig.trust.look.refusal import Refusal

#: What this machine lacks, and not the other one: files, memory.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
#: What goes into a ClientHello (RFC 1035 §2.3.4).
LONGEST_NAME = 253


async def connect(address: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection to a host name or IP address and port. Raises Refusal, Misuse for no port, TimeoutError."""
    if not 0 < address[1] < 65536:
        raise Misuse(f"{address[1]} is no port", hint="1 to 65535")
    where = format_address(*address)
    try:
        return await asyncio.open_connection(*address)
    except TimeoutError:
        raise
    except (socket.gaierror, UnicodeError):
        raise Refusal("no such name", f"nobody knows where {address[0]} is") from None
    except ConnectionRefusedError:
        raise Refusal("refused", f"nobody listens at {where}") from None
    except OSError as error:
        if error.errno in _OURS:
            raise Refusal("busy", f"this machine cannot look at {where}: {error.strerror}") from None
        raise Refusal("unreachable", f"{where} cannot be reached: {error.strerror or error}") from None


def sni_name(name: str | None) -> str | None:
    """A name as SNI carries it, ASCII; None for an IP address, since SNI knows none (RFC 6066 §3). Raises Misuse."""
    if name is None or is_ip(name):
        return None
    try:
        dialled = name.removesuffix(".").encode("idna").decode()
    except UnicodeError:
        dialled = ""
    if not 0 < len(dialled) <= LONGEST_NAME or not dialled.isprintable() or " " in dialled:
        raise Misuse(f"{name!r} is no host name")
    return dialled


def url_name(name: str) -> str:
    """A name as an ESP32's URL has it: ASCII, and a dot at its end is one of the name. Raises Misuse."""
    dialled = sni_name(name)
    return name if dialled is None else dialled + "." * name.endswith(".")


def is_ip(name: str) -> bool:
    """Whether it is an IP address and no name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
