"""A name's addresses, asked for on a thread that nobody waits for: a resolver that hangs holds up nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading

#: Failures of the library that no name server has a part in.
_OURS = (socket.EAI_MEMORY, socket.EAI_SYSTEM)
FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


async def look_up(name: str, family: socket.AddressFamily) -> list[str]:
    """A name's addresses. Raises OSError; with ENOMEM where this machine has no means to ask."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(result: list[str] | OSError) -> None:
        if found.done():
            return
        if isinstance(result, OSError):
            found.set_exception(result)
        else:
            found.set_result(result)

    def ask() -> None:
        result: list[str] | OSError
        try:
            entries = socket.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM)
            result = [str(entry[4][0]) for entry in entries]
        except socket.gaierror as error:
            result = OSError(errno.ENOMEM, error.strerror) if error.errno in _OURS else error
        except OSError as error:
            result = error
        except UnicodeError:
            result = OSError(f"{name!r} is no host name")
        with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody asks any more
            loop.call_soon_threadsafe(settle, result)

    try:
        threading.Thread(target=ask, name=f"look up {name}", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.ENOMEM, str(error)) from None
    return await found
