"""The socket of a control port: it listens, and lets in who may ask and speaks JSON. What is asked is not here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rig.control.address import ControlAddress, TcpAddress, UnixAddress
from rig.control.token import VARIABLE, ControlToken
from rig.control.web_pages import speaks_http
from rig.errors import LabFault, Misuse
from rig.formats.json_object import NotAnObject, read_object
from rig.listener import Listener
from rig.lock_file import lock_beside
from rig.ports import taking

log = logging.getLogger(__name__)

#: How long somebody is listened to, who sends more, until they have our last answer.
DRAIN_SECONDS = 5.0
#: The token of a request that begins with it.
_SHOWN = re.compile(rb'\s*\{\s*"token"\s*:\s*"([^"\\]{1,128})"')


class NotAControlClient(Exception):
    """Who speaks HTTP is no client of ours, but a web page: it is hung up on without a word."""


class ControlSocket:
    """Listens at `address`. On TCP every request carries the token in `token_file`, as `token`.

    A token that is not there is made. Raises Misuse for a token file that is not needed.
    """

    def __init__(self, address: ControlAddress, token_file: Path | None = None):
        if token_file is not None and isinstance(address, UnixAddress):
            raise Misuse("a token is for a control port on TCP", hint="--control HOST:PORT")
        self.address, self._token_file = address, token_file
        self._token: ControlToken | None = None
        self._listener: Listener | None = None
        self._inode = 0

    async def open(self, listener: Listener) -> dict[str, Any]:
        """Let who comes to a listener; returns what a ready line tells of it.

        Raises Misuse for a token file that holds none, LabFault for an address that is taken.
        """
        self._listener = listener
        if isinstance(self.address, UnixAddress):
            listener.serve(_bound(self.address.path))
            self._inode = self.address.path.stat().st_ino
            return {"address": str(self.address)}
        host, port = self.address.host, self.address.port
        with taking(host, port):
            port = await listener.start(host, port)
        self.address = TcpAddress(host, port)
        self._token = ControlToken(self.address, self._token_file)
        return {"address": str(self.address), "host": host, "port": port, "token_file": str(self._token.path)}

    def close(self) -> None:
        """Listen no more; what shows the way here goes first, while nobody else can have taken the place."""
        if self._token is not None:
            self._token.close()
        if isinstance(self.address, UnixAddress) and self._inode:
            with contextlib.suppress(OSError):
                if self.address.path.stat().st_ino == self._inode:
                    self.address.path.unlink()
        if self._listener is not None:
            self._listener.close()

    def knows(self, beginning: bytes) -> bool:
        """Whether who begins a line like this may go on for long: at a socket anybody, on TCP who shows the token."""
        if self._token is None:
            return isinstance(self.address, UnixAddress)
        shown = _SHOWN.match(beginning)
        return shown is not None and self._token.matches(shown[1].decode("ascii", "replace"))

    def parse_request(self, line: bytes) -> dict[str, Any]:
        """The request in a line, without its token. After NotAControlClient or Misuse no more of that peer is read."""
        if speaks_http(line):
            log.warning("HTTP at the control port %s: hung up", self.address)
            raise NotAControlClient
        try:
            request = read_object(line)
        except NotAnObject as error:
            raise Misuse(f"expected a JSON object: {error}", hint='one a line, such as {"do": …}') from None
        said = request.pop("token", None)
        if isinstance(self.address, TcpAddress) and not (self._token is not None and self._token.matches(said)):
            what = "wrong" if said is not None else "missing"
            raise Misuse(f"the token is {what}", hint=f"{VARIABLE} names its file, which the ready line tells")
        return request


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes = b"") -> None:
    """Say a last line to a peer, or nothing, and hang up.

    What it still sends is read and thrown away: hanging up with bytes unread is a reset, and it would not see the line.
    """
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(message)
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(DRAIN_SECONDS):
            while await reader.read(1 << 16):
                pass
    writer.close()


def _bound(path: Path) -> socket.socket:
    """A socket that only we can open, in the place of one that a server left behind. Raises LabFault."""
    where = f"cannot listen on {UnixAddress(path)}"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _starting_at(path):
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


@contextlib.contextmanager
def _starting_at(path: Path) -> Iterator[None]:
    """While we look who listens at a socket, and until we do: another that looks meanwhile would remove ours.

    Raises LabFault where another does so.
    """
    try:
        lock = lock_beside(path)
    except BlockingIOError:
        raise LabFault(
            f"cannot listen on {UnixAddress(path)}: another server starts there", hint="name another path"
        ) from None
    with contextlib.closing(lock):
        yield


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
    except (BlockingIOError, TimeoutError):
        pass  # as many wait for it as may
    raise LabFault(f"cannot listen on {UnixAddress(path)}: somebody listens there", hint="name another path")
