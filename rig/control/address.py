"""Where a control port is: at a Unix socket that only its owner can open, or at a TCP port."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rig.errors import Misuse
from rig.ports import format_address, read_address

UNIX = "unix:"
#: The system's limit, in bytes.
LONGEST_PATH = 107


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system."""

    path: Path

    def __str__(self) -> str:
        return f"{UNIX}{self.path}"

    def dial(self, seconds: float) -> socket.socket:
        """Connect. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(seconds)
        try:
            sock.connect(str(self.path))
            if _peer_of(sock) not in (os.getuid(), 0) and os.getuid():
                raise PermissionError(errno.EACCES, "another user listens there")
        except BaseException:
            sock.close()
            raise
        return sock


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A port, which others may reach."""

    host: str
    port: int

    def __str__(self) -> str:
        return format_address(self.host, self.port)

    def dial(self, seconds: float) -> socket.socket:
        """Connect. Raises OSError."""
        sock = socket.create_connection((self.host, self.port), timeout=seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


ControlAddress = UnixAddress | TcpAddress


def read_control_address(text: str, what: str, example: str, *, lowest: int = 1) -> ControlAddress:
    """Of `unix:PATH` or `HOST:PORT`; `what` is how people know it. Raises Misuse."""
    if not text.startswith(UNIX):
        try:
            return TcpAddress(*read_address(text, what, example, lowest=lowest))
        except Misuse as error:
            raise Misuse(f"{what} {text} is not unix:PATH or HOST:PORT", hint=error.hint) from None
    path = Path(text.removeprefix(UNIX))
    if path.name == "" or "\0" in text:
        raise Misuse(f"{what} {text!r} names no socket", hint="unix:PATH")
    path = path.absolute()
    if not _fits(path):
        length = len(os.fsencode(path))
        raise Misuse(f"{what} {text}: a socket's path has {LONGEST_PATH} bytes at most, not {length}")
    return UnixAddress(path)


def socket_in(folder: Path, name: str) -> UnixAddress:
    """A socket in a folder; where its path would be too long, one of this user's that belongs to that folder alone."""
    path = folder.absolute() / f"{name}.sock"
    if not _fits(path):
        digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
        path = private_folder(runtime_folder()) / f"{name}-{digest}.sock"
    return UnixAddress(path)


def runtime_folder() -> Path:
    """Where sockets and tokens of this user are, until the machine starts again."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(named) and os.path.isdir(named) and os.stat(named).st_uid == os.getuid():
        return Path(named) / "rig"
    return Path(tempfile.gettempdir()) / f"rig-{os.getuid()}"


def private_folder(path: Path) -> Path:
    """A folder that only this user can enter, made where it is not there. Raises Misuse for another's."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise Misuse(f"cannot use the folder {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Misuse(f"others can use the folder {path}", hint="remove it, or name another by XDG_RUNTIME_DIR")
    return path


def _peer_of(sock: socket.socket) -> int:
    """Which user has the other end of a Unix socket."""
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_PATH
