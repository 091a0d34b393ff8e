"""What whoever asks a control port on TCP shows: a token, in a file that only its owner reads."""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
from pathlib import Path

from rig.control.address import TcpAddress, private_folder, runtime_folder
from rig.errors import Misuse
from rig.files import open_given, writing
from rig.ports import is_loopback

TOKEN_BYTES = 20
#: Names the file with the token, for whoever asks a server of another machine or of another user.
VARIABLE = "RIG_TOKEN_FILE"
#: What a server that listens everywhere tells; to dial it is to dial this machine.
ANY_HOST = ("0.0.0.0", "::")
_TOKEN = re.compile(r"[0-9A-Za-z_-]{32,128}")


def make_token(path: Path) -> str:
    """A new token in a new file. Raises Misuse."""
    fresh = secrets.token_hex(TOKEN_BYTES)
    with writing(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{fresh}\n")
    return fresh


def read_token(path: Path) -> str:
    """The token in a file. Raises Misuse for a file that is none, or that others can read."""
    with open_given(path) as file:
        is_others = os.fstat(file.fileno()).st_mode & 0o077
        text = file.read(256).decode("ascii", "replace").strip()
    if is_others:
        raise Misuse(f"others can use the token file {path}", hint=f"chmod 600 {path}")
    if not _TOKEN.fullmatch(text):
        raise Misuse(f"{path} holds no token", hint="remove it, and a server that is started with it makes one")
    return text


class ControlToken:
    """The token that a server at `address` wants, in `path`: made where it is not there.

    Without a path it is made anew where `token_for` looks, and gone when the server ends. Raises Misuse.
    """

    def __init__(self, address: TcpAddress, path: Path | None = None):
        self._is_ours = path is None
        if path is None:
            path = private_folder(runtime_folder()) / _name(address.port)
            path.unlink(missing_ok=True)
        self.path = path.absolute()
        self._value = read_token(path) if path.exists() else make_token(path)

    def matches(self, said: object) -> bool:
        """Whether somebody knows it; takes as long for a good guess as for a bad one."""
        return isinstance(said, str) and hmac.compare_digest(said.encode("utf-8", "replace"), self._value.encode())

    def close(self) -> None:
        """The server has ended."""
        if self._is_ours:
            with contextlib.suppress(OSError):
                self.path.unlink()


def token_for(address: TcpAddress, path: Path | None = None) -> str | None:
    """The token to show at `address`: that in `path`, else in the file that RIG_TOKEN_FILE names.

    Else that of a server of this user's on this machine; None where there is none. Raises Misuse.
    """
    named = path or os.environ.get(VARIABLE)
    if named:
        return read_token(Path(named))
    made = runtime_folder() / _name(address.port)
    is_here = is_loopback(address.host) or address.host in ANY_HOST
    return read_token(made) if is_here and made.exists() else None


def _name(port: int) -> str:
    return f"{port}.token"
