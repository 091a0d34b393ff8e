"""The door of a control port: it listens, and lets in who may ask and speaks JSON. What is asked is not here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rig.control.address import ControlAddress, TcpAddress, UnixAddress
from rig.control.token import VARIABLE, ControlToken
from rig.errors import LabFault, Misuse
from rig.ports import taking

log = logging.getLogger(__name__)

#: How long somebody is listened to, who sends more, until they have our last answer.
DRAIN_SECONDS = 5.0
_HTTP = re.compile(rb"[A-Za-z]{3,20} [^\r\n]{0,8192} HTTP/[0-9]")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class NotAdmitted(Misuse):
    """Who asks may not, or does not speak JSON: this connection is over. Without a `message` it ends in silence."""


class Door:
    """Listens at `address`. On TCP every request carries the token in `token_file`, as `token`.

    A token that is not there is made. Raises Misuse for a file that holds none, and for one that is not needed.
    """

    def __init__(self, address: ControlAddress, token_file: Path | None = None):
        if token_file is not None and isinstance(address, UnixAddress):
            raise Misuse("a token is for a control port on TCP", hint="--control HOST:PORT")
        self.address, self._token_file = address, token_file
        self._token: ControlToken | None = None
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def open(self, serve: Serve, *, limit: int) -> dict[str, Any]:
        """Listen; returns what a ready line tells of it. Raises Misuse, and LabFault for an address that is taken."""
        if isinstance(self.address, UnixAddress):
            sock = _listening(self.address.path)
            self._inode = self.address.path.stat().st_ino
            self._server = await asyncio.start_unix_server(serve, sock=sock, limit=limit)
            return {"address": str(self.address)}
        host, port = self.address.host, self.address.port
        with taking(host, port):
            self._server = await asyncio.start_server(serve, host, port, limit=limit)
        self.address = TcpAddress(host, int(self._server.sockets[0].getsockname()[1]))
        self._token = ControlToken(self.address, self._token_file)
        told = {"address": str(self.address), "host": host, "port": self.address.port}
        return {**told, "token_file": str(self._token.path)}

    def close(self) -> None:
        """Listen no more."""
        if self._server is None:
            return
        self._server.close()
        if self._token is not None:
            self._token.close()
        if isinstance(self.address, UnixAddress):
            with contextlib.suppress(OSError):
                if self.address.path.stat().st_ino == self._inode:
                    self.address.path.unlink()

    def admit(self, line: bytes) -> dict[str, Any]:
        """The request in a line, without its token. Raises NotAdmitted."""
        if _HTTP.match(line):
            log.warning("HTTP at the control port %s: hung up", self.address)
            raise NotAdmitted("")
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            raise NotAdmitted("expected a JSON object", hint='one a line, such as {"do": …}')
        said = request.pop("token", None)
        if isinstance(self.address, TcpAddress) and not (self._token is not None and self._token.matches(said)):
            what = "wrong" if said is not None else "missing"
            raise NotAdmitted(f"the token is {what}", hint=f"{VARIABLE} names its file, which the ready line tells")
        return request


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: bytes) -> None:
    """Say a last line to a peer, or nothing, and hang up.

    What it still sends is read and thrown away: hanging up with bytes unread is a reset, and it would not see the line.
    """
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(told)
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(DRAIN_SECONDS):
            while await reader.read(1 << 16):
                pass
    writer.close()


def _listening(path: Path) -> socket.socket:
    """A socket that only we can open. Raises LabFault."""
    where = f"cannot listen on {UnixAddress(path)}"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_way(path)
        former = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(former)
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise LabFault(f"{where}: {error.strerror or error}", hint="is its folder there, and yours?") from error
    except BaseException:
        sock.close()
        raise
    return sock


def _make_way(path: Path) -> None:
    """Remove the socket of a server that is gone. Raises LabFault for one that is not, and for any other file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LabFault(f"cannot listen on {UnixAddress(path)}: another file is there", hint="name another path")
    try:
        UnixAddress(path).dial(1.0).close()
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return
    raise LabFault(f"cannot listen on {UnixAddress(path)}: somebody listens there", hint="name another path")
